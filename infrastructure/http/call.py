"""A call that came over HTTP. The methods that answer gRPC calls answer it, too."""

import asyncio
import time
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from infrastructure.wire.calls import Metadata

FAR_OFF = 365 * 24 * 3600.0  # seconds: the deadline of a call that gave none


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: with a message, or with a code and a text; and its trailing metadata."""

    message: bytes = b""
    code: grpc.StatusCode = grpc.StatusCode.OK
    text: str = ""
    trailing: Metadata = ()


class HttpCall:
    """One call, until it is answered: the body of `wire.calls.Call` for HTTP.

    It is made on an event loop, and may be answered from any thread.
    """

    def __init__(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        peer: str,
        timeout: float | None,
        identities: Sequence[str] = (),
    ) -> None:
        """`timeout` is in seconds from now; None if the client gave none.

        `identities` are the names in the client's verified certificate.
        """
        self._loop = asyncio.get_running_loop()
        self._outcome: asyncio.Future[Outcome] = self._loop.create_future()
        self._leave: Callable[[], object] | None = None
        self._timeout = timeout
        self.metadata: Metadata = [pair for header in headers if (pair := _pair(*header))]
        self.deadline = time.monotonic() + (FAR_OFF if timeout is None else timeout)
        self.peer = peer
        self.identities = identities

    def answer(self, message: bytes, trailing: Metadata = ()) -> None:
        """See Call.answer."""
        self._end(Outcome(message, trailing=trailing))

    def refuse(self, code: grpc.StatusCode, text: str, trailing: Metadata = ()) -> None:
        """See Call.refuse."""
        self._end(Outcome(code=code, text=text, trailing=trailing))

    def when_cancelled(self, leave: Callable[[], object]) -> None:
        """See Call.when_cancelled."""
        self._leave = leave

    async def outcome(self, disconnected: "asyncio.Future[Any]") -> Outcome:
        """How the call ended. A client that disconnects, or its deadline, cancels the call."""
        await asyncio.wait(
            {self._outcome, disconnected},
            timeout=self._timeout,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self._outcome.done():
            return self._outcome.result()
        if self._leave is not None:
            self._leave()
        if disconnected.done():
            return Outcome(code=grpc.StatusCode.CANCELLED, text="The client has disconnected.")
        return Outcome(
            code=grpc.StatusCode.DEADLINE_EXCEEDED,
            text="The deadline passed before the call was answered.",
        )

    def _end(self, outcome: Outcome) -> None:
        self._loop.call_soon_threadsafe(self._settle, outcome)

    def _settle(self, outcome: Outcome) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)


def header_pairs(metadata: Metadata) -> list[tuple[str, str]]:
    """Metadata as headers: bytes in base64."""
    return [
        (key, b64encode(value).rstrip(b"=").decode() if isinstance(value, bytes) else value)
        for key, value in metadata
    ]


def _pair(name: bytes, value: bytes) -> tuple[str, str | bytes] | None:
    """A header as metadata; None if it is none."""
    key = name.decode("latin-1").lower()
    if not key.endswith("-bin"):
        return key, value.decode("latin-1")
    try:
        return key, b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except NotBase64:
        return None
