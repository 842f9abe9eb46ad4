"""A channel to the service, and what can be read from a call on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from infrastructure.client.target import is_loopback

# Reconnects soon to a service that just started: gRPC's own pauses grow to two minutes.
_OPTIONS = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500))
# gRPC uses http_proxy even for 127.0.0.1, but the proxy's 127.0.0.1 is another machine.
_NO_PROXY = ("grpc.enable_http_proxy", 0)


SYSTEM = "system"
"""Stands for the authorities that gRPC knows, in place of a file."""


class NotSent(Exception):
    """What is needed for a call cannot be read, or may not be sent; the text says what to do."""


@contextmanager
def connected(
    target: str, authorities: str | None = None, token_file: Path | None = None
) -> Iterator[grpc.Channel]:
    """A channel to the service; nothing is sent before the first call.

    `authorities` is a PEM file of those who sign the service's certificate, or SYSTEM; without it,
    nothing is encrypted. `token_file` holds a bearer token. Raises NotSent.
    """
    if token_file is not None and authorities is None and not is_loopback(target):
        raise NotSent(f"A token must not travel to {target} unencrypted: add --ca {SYSTEM}")
    options = (*_OPTIONS, _NO_PROXY) if is_loopback(target) else _OPTIONS
    try:
        channel = (
            grpc.insecure_channel(target, options=options)
            if authorities is None
            else grpc.secure_channel(target, _trusting(authorities), options=options)
        )
        token = None if token_file is None else token_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as unreadable:
        raise NotSent(f"{unreadable}. Name a file that this user may read") from unreadable
    with channel:
        yield channel if token is None else grpc.intercept_channel(channel, _Bearer(token))


def _trusting(authorities: str) -> grpc.ChannelCredentials:
    known = None if authorities == SYSTEM else Path(authorities).read_bytes()
    return grpc.ssl_channel_credentials(known)


class _Bearer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Sends a token with every call."""

    def __init__(self, token: str) -> None:
        self._sent = ("authorization", f"Bearer {token}")

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """See grpc.UnaryUnaryClientInterceptor."""
        return continuation(self._signed(details), request)

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        """See grpc.UnaryStreamClientInterceptor."""
        return continuation(self._signed(details), request)

    def _signed(self, details: Any) -> Any:
        return details._replace(metadata=(*(details.metadata or ()), self._sent))


def trailing_of(call: grpc.Call) -> dict[str, str]:
    """The trailing metadata that is text, such as x-workflow-version."""
    pairs = call.trailing_metadata() or ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def has_code(error: grpc.RpcError, *codes: grpc.StatusCode) -> bool:
    """Whether a call ended with one of these codes."""
    return isinstance(error, grpc.Call) and error.code() in codes
