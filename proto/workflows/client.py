"""A channel to the service that outlives restarts: TLS, tokens, repeats, deadlines.

A call waits while no server can be reached, until its deadline. Reads, and calls that carry a key,
are repeated if they end as UNAVAILABLE or ABORTED; `service_config.json` beside this file says
which, and how often. So that a repeat happens once, a call whose request has room for a key
(`idempotency_key` or `job_id`) and brings none is given a random one.
"""

import base64
import binascii
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import grpc

TIMEOUT = 20.0
"""Seconds that a call may take, repeats included, if the caller gives no time-out."""
EARLIER = 30.0
"""Seconds before its end at which a token is not used any more."""

_KEYS = ("idempotency_key", "job_id")
_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.service_config_disable_resolution", 1),
    # Reconnects soon to a service that just started: gRPC's own pauses grow to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A server that vanished without a word is noticed while calls wait for it.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)
# gRPC uses http_proxy even for 127.0.0.1, but the proxy's 127.0.0.1 is another machine.
_NO_PROXY = ("grpc.enable_http_proxy", 0)
_THIS_MACHINE = ("127.", "localhost:", "[::1]:", "unix:", "ipv4:127.", "ipv6:[::1]")


@contextmanager
def connected(
    target: str,
    *,
    tls: grpc.ChannelCredentials | None = None,
    token: Callable[[], str] | None = None,
    timeout: float = TIMEOUT,
) -> Iterator[grpc.Channel]:
    """A channel for the stubs of any service at the target; it is closed when the block ends.

    `tls` is made by `tls()`; without it nothing is encrypted. `token` returns a bearer token; it
    is called again shortly before a token ends, and after a token was refused. `timeout` is in
    seconds, for calls without one. Raises ValueError if a token would leave this machine without
    TLS.
    """
    is_near = target.startswith(_THIS_MACHINE)
    if token is not None and tls is None and not is_near:
        raise ValueError(f"A token must not travel to {target} unencrypted. Give tls=tls().")
    config = files("workflows").joinpath("service_config.json").read_text("utf-8")
    options = [*_OPTIONS, ("grpc.service_config", config), *([_NO_PROXY] if is_near else [])]
    channel = (
        grpc.insecure_channel(target, options)
        if tls is None
        else grpc.secure_channel(target, tls, options)
    )
    with channel:
        bearer = None if token is None else _Bearer(token)
        yield grpc.intercept_channel(channel, _Calls(timeout, bearer))


def tls(
    authorities: Path | str | None = None,
    certificate: Path | str | None = None,
    key: Path | str | None = None,
) -> grpc.ChannelCredentials:
    """Credentials of PEM files. `authorities` sign the server; None means those of gRPC.

    `certificate` and `key` are the client's own, for a service that asks for them. Raises OSError.
    """
    sent = [None if path is None else Path(path).read_bytes() for path in (key, certificate)]
    trusted = None if authorities is None else Path(authorities).read_bytes()
    return grpc.ssl_channel_credentials(trusted, *sent)


class _Details(NamedTuple):
    """The details of a call as gRPC hands them from interceptor to interceptor."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class _Bearer:
    """The token of the calls of one channel. Safe on any thread."""

    def __init__(self, fetch: Callable[[], str]) -> None:
        self._fetch = fetch
        self._changing = Lock()
        self._token = ""
        self._until = 0.0

    def current(self) -> str:
        """A token that does not end soon. Raises what fetching one raises."""
        with self._changing:
            if time.time() >= self._until:
                self._token = self._fetch()
                self._until = _end_of(self._token) - EARLIER
            return self._token

    def refused(self, token: str) -> None:
        """The next call fetches another one."""
        with self._changing:
            if token == self._token:
                self._until = 0.0


def _end_of(token: str) -> float:
    """When a JWT ends, by the system's clock; far ahead if it does not say so."""
    _, _, payload = token.partition(".")
    encoded = payload.partition(".")[0]
    try:
        claims = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, TypeError, KeyError):
        return float("inf")


class _Calls(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Gives each call what it lacks: a deadline, a key, the token. A stream has no deadline."""

    def __init__(self, timeout: float, bearer: _Bearer | None) -> None:
        self._timeout = timeout
        self._bearer = bearer

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """See grpc.UnaryUnaryClientInterceptor."""
        timeout = self._timeout if details.timeout is None else details.timeout
        return self._continued(continuation, details, timeout, _with_key(request))

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        """See grpc.UnaryStreamClientInterceptor."""
        return self._continued(continuation, details, details.timeout, request)

    def _continued(self, continuation: Any, details: Any, timeout: Any, request: Any) -> Any:
        token = None if self._bearer is None else self._bearer.current()
        metadata = list(details.metadata or ())
        if token is not None:
            metadata.append(("authorization", f"Bearer {token}"))
        call = continuation(
            _Details(
                details.method,
                timeout,
                metadata,
                details.credentials,
                details.wait_for_ready,
                details.compression,
            ),
            request,
        )
        if self._bearer is not None and token is not None:
            call.add_done_callback(partial(_look, self._bearer, token))
        return call


def _look(bearer: _Bearer, token: str, ended: Any) -> None:
    if ended.code() is grpc.StatusCode.UNAUTHENTICATED:
        bearer.refused(token)


def _with_key(request: Any) -> Any:
    """The request with a random key, if it has room for one and brings none."""
    for name in _KEYS:
        if name in request.DESCRIPTOR.fields_by_name and not getattr(request, name):
            keyed = type(request)()
            keyed.CopyFrom(request)
            setattr(keyed, name, secrets.token_hex(16))
            return keyed
    return request
