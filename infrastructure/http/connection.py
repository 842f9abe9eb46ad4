"""A connection of the HTTP door: the library's protocol, with bounds and the client's names."""

import asyncio
from collections.abc import Callable, Sequence
from math import inf
from random import uniform
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from infrastructure.http.bounds import Bounds

KEY = "workflows.connection"
"""The key of a request's scope that holds its connection."""

_KINDS = ("URI", "DNS")
_ENTRY = 32  # bytes that each header counts beside its own, as in HTTP/2
_LATE = (408, "deadline_exceeded", "The request did not arrive in time.")
_TOO_MUCH = (431, "resource_exhausted", "The request has too many bytes of headers; send fewer.")


class _Refused(Exception):
    """A request whose headers are not taken."""


class Connection(HttpToolsProtocol):
    """One connection; all happens on its event loop.

    Requests come one after the other, so one call at most is under way.
    """

    names: Sequence[str] = ()
    """The names in the client's verified certificate (SAN: URI, DNS)."""
    peer = "http:unix"
    """The client's address, as the calls of the connection show it."""

    def __init__(self, config: uvicorn.Config, state: ServerState, bounds: Bounds) -> None:
        super().__init__(config, state, {})
        self._bounds = bounds
        self._closes_at = inf
        self._lost: Callable[[], object] | None = None
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._arriving = self._has_headers = False
        self._header_bytes = 0
        self._refusal = (400, "invalid_argument", "The request is no HTTP/1.1.")

    @property
    def is_old(self) -> bool:
        """Whether the connection is to be closed behind the next answer."""
        return self.loop.time() > self._closes_at

    def when_lost(self, leave: Callable[[], object] | None) -> None:
        """Registers what happens if the client disconnects; None for nothing."""
        self._lost = leave

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the library has it
        """Reads the certificate of a new connection; closes it if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self._bounds.connections:
            transport.abort()
            return
        if self.client is not None:
            self.peer = f"http:{self.client[0]}:{self.client[1]}"
        certificate: dict[str, Any] = transport.get_extra_info("peercert") or {}
        found = certificate.get("subjectAltName", ())
        self.names = [name for kind, name in found if kind in _KINDS]
        if self._bounds.age:
            self._closes_at = self.loop.time() + self._bounds.age * uniform(0.9, 1.1)  # noqa: S311 - no secret
        self._late = self.loop.call_later(self._bounds.handshake, self._is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the call under way."""
        super().connection_lost(exc)
        for timer in (self._late, self._unread):
            if timer is not None:
                timer.cancel()
        if self._lost is not None:
            self._lost()

    def data_received(self, data: bytes) -> None:
        """Reads on; a request that has begun must be complete in time."""
        super().data_received(data)
        if not self._arriving:
            if self._late is not None:
                self._late.cancel()
                self._late = None
            return
        if not self._has_headers:
            self._header_bytes += len(data)
            if self._header_bytes > 2 * self._bounds.metadata_bytes:
                self._refuse(*_TOO_MUCH)
        if self._late is None:
            self._late = self.loop.call_later(self._bounds.patience, self._is_late)

    def on_message_begin(self) -> None:
        """Begins a request."""
        super().on_message_begin()
        self.scope["state"][KEY] = self
        self._arriving, self._has_headers, self._header_bytes = True, False, 0

    def on_headers_complete(self) -> None:
        """Counts the headers, and has the request answered."""
        self._has_headers = True
        size = sum([len(name) + len(value) + _ENTRY for name, value in self.headers])
        if size > self._bounds.metadata_bytes:
            self._refusal = _TOO_MUCH
            raise _Refused  # The library ends the connection by `send_400_response`.
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Ends the arrival of a request."""
        self._arriving = False
        super().on_message_complete()

    def send_400_response(self, _: str) -> None:
        """Refuses what cannot be read, and closes."""
        self._refuse(*self._refusal)

    def pause_writing(self) -> None:
        """An answer waits for the client to read; it does not wait for ever."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self._bounds.patience, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _is_late(self) -> None:
        self._late = None
        if self._arriving and (self.cycle is None or not self.cycle.response_started):
            self._refuse(*_LATE)
        else:
            self.transport.close()

    def _refuse(self, status: int, code: str, text: str) -> None:
        """Writes an error in Connect's form past the library, and closes."""
        body = f'{{"code":"{code}","message":"{text}"}}'
        self.transport.write(
            f"HTTP/1.1 {status} Refused\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()
        )
        self.transport.close()
