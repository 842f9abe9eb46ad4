"""A channel to the service, and what can be read from a call on it."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from infrastructure.client.target import is_loopback

# Reconnects soon to a service that just started: gRPC's own pauses grow to two minutes.
_OPTIONS = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500))
# gRPC uses http_proxy even for 127.0.0.1, but the proxy's 127.0.0.1 is another machine.
_NO_PROXY = ("grpc.enable_http_proxy", 0)


@contextmanager
def connected(target: str) -> Iterator[grpc.Channel]:
    """A channel to the service; nothing is sent before the first call."""
    options = (*_OPTIONS, _NO_PROXY) if is_loopback(target) else _OPTIONS
    with grpc.insecure_channel(target, options=options) as channel:
        yield channel


def trailing_of(call: grpc.Call) -> dict[str, str]:
    """The trailing metadata that is text, such as x-workflow-version."""
    pairs = call.trailing_metadata() or ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def has_code(error: grpc.RpcError, *codes: grpc.StatusCode) -> bool:
    """Whether a call ended with one of these codes."""
    return isinstance(error, grpc.Call) and error.code() in codes
