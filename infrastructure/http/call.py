"""A call that came over HTTP. The methods that answer gRPC calls answer it, too."""

import asyncio
import time
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import grpc

from infrastructure.http.connection import Connection
from infrastructure.wire.calls import Metadata


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: with a message, or with a code and a text; and its trailing metadata."""

    message: bytes = b""
    code: grpc.StatusCode = grpc.StatusCode.OK
    text: str = ""
    trailing: Metadata = ()


_LEFT = Outcome(code=grpc.StatusCode.CANCELLED, text="The client has disconnected.")
_LATE = Outcome(
    code=grpc.StatusCode.DEADLINE_EXCEEDED,
    text="The deadline passed before the call was answered.",
)


class HttpCall:
    """One call, until it is answered: the body of `wire.calls.Call` for HTTP.

    It is made on an event loop, and may be answered from any thread.
    """

    __slots__ = (
        "_leave", "_loop", "_outcome", "_timeout", "deadline", "identities", "metadata", "peer",
    )  # fmt: skip

    def __init__(
        self, headers: Iterable[tuple[bytes, bytes]], connection: Connection, timeout: float
    ) -> None:
        """`timeout` is in seconds from now."""
        self._loop = connection.loop
        self._outcome: asyncio.Future[Outcome] = self._loop.create_future()
        self._leave: Callable[[], object] | None = None
        self._timeout = timeout
        self.metadata = metadata_of(headers)
        self.deadline = time.monotonic() + timeout
        self.peer = connection.peer
        self.identities = connection.names

    def answer(self, message: bytes, trailing: Metadata = ()) -> None:
        """See Call.answer."""
        self._end(Outcome(message, trailing=trailing))

    def refuse(self, code: grpc.StatusCode, text: str, trailing: Metadata = ()) -> None:
        """See Call.refuse."""
        self._end(Outcome(code=code, text=text, trailing=trailing))

    def when_cancelled(self, leave: Callable[[], object]) -> None:
        """See Call.when_cancelled."""
        self._leave = leave

    def disconnected(self) -> None:
        """Cancels the call, since its client has disconnected; on the event loop."""
        self._cancel(_LEFT)

    async def outcome(self) -> Outcome:
        """How the call ended. Its deadline cancels it."""
        timer = self._loop.call_later(self._timeout, self._cancel, _LATE)
        try:
            return await self._outcome
        finally:
            timer.cancel()

    def _cancel(self, outcome: Outcome) -> None:
        if self._outcome.done():
            return
        self._outcome.set_result(outcome)
        if self._leave is not None:
            self._leave()

    def _end(self, outcome: Outcome) -> None:
        self._loop.call_soon_threadsafe(self._settle, outcome)

    def _settle(self, outcome: Outcome) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)


def metadata_of(headers: Iterable[tuple[bytes, bytes]]) -> Metadata:
    """The headers of a request as metadata."""
    return [pair for header in headers if (pair := _pair(*header))]


def header_pairs(metadata: Metadata) -> list[tuple[str, str]]:
    """Metadata as headers: bytes in base64."""
    return [
        (key, b64encode(value).rstrip(b"=").decode() if isinstance(value, bytes) else value)
        for key, value in metadata
    ]


def _pair(name: bytes, value: bytes) -> tuple[str, str | bytes] | None:
    """A header as metadata; None if it is none."""
    key = name.decode("latin-1")
    if not key.endswith("-bin"):
        return key, value.decode("latin-1")
    try:
        return key, b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except NotBase64:
        return None
