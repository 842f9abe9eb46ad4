"""The calls of the slower body: each is served by threads of the library's that wait for it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, get_ident
from time import monotonic
from typing import Any, Protocol

import grpc
import structlog

from infrastructure.wire.calls import (
    NAMES,
    Metadata,
    MethodBroke,
    NoMessage,
    NotServed,
    TooManyCalls,
)
from infrastructure.wire.crowding import Crowding
from infrastructure.wire.traffic import LARGE, Stage, Traffic, Unread

_log = structlog.get_logger()

Send = Callable[[bytes | None], None]
"""Sends a message, and returns when it was sent; None ends the call with the status set before."""


class Library(Protocol):
    """What calls need of the wire that took them."""

    traffic: "Traffic[HandledCall]"
    senders: ThreadPoolExecutor
    sending: "set[HandledCall]"
    """The calls that hold a thread of the senders."""
    late: "Crowding[HandledCall]"
    """Which connections hold up others by calls without a message."""
    deaf: "Crowding[HandledCall]"
    """Which connections hold up others by answers that are not read."""

    def refuse(self, call: "HandledCall", reason: NotServed) -> None:
        """Ends a call for a reason of the wire's own."""
        ...


class HandledCall:
    """See calls.Call."""

    def __init__(
        self, messages: Iterator[bytes], context: Any, send: Send, wire: Library, method: Any
    ) -> None:
        self.stage = Stage.MESSAGE
        self.since = monotonic()
        self.unread: Unread | None = None
        self.gone = False
        self._answered = False
        self.metadata: Metadata = context.invocation_metadata()
        self.deadline: float = self.since + context.time_remaining()
        self._messages = messages
        self._context = context
        self._send = send
        self._leave: Callable[[], object] | None = None
        self._wire = wire
        self.method = method
        self._ending = Lock()

    @property
    def peer(self) -> str:
        """See calls.Call."""
        return str(self._context.peer())

    @property
    def identities(self) -> Sequence[str]:
        """See calls.Call."""
        found = self._context.auth_context()
        return [name.decode() for kind in NAMES for name in found.get(kind, ())]

    def answer(self, message: bytes, trailing: Metadata = ()) -> None:
        """See calls.Call."""
        if len(message) > LARGE:
            try:
                self._wire.traffic.answer(self, len(message))
            except NotServed as unread:
                self._wire.refuse(self, unread)
                return
        self._end(message, grpc.StatusCode.OK, "", trailing)

    def refuse(self, code: grpc.StatusCode, text: str, trailing: Metadata = ()) -> None:
        """See calls.Call."""
        self._end(None, code, text, trailing)

    def when_cancelled(self, leave: Callable[[], object]) -> None:
        """See calls.Call; `leave` runs on the library's thread."""
        with self._ending:
            if not self.gone:
                self._leave = leave
                return
        leave()

    def cancel(self) -> None:
        """Ends the call without a status, since its client does not read."""
        self._context.cancel()

    def run(self) -> None:
        """Reads the message and calls the method; nothing is raised."""
        try:
            if not self._context.add_callback(self._ended):
                return
            self._enter()
            self._serve()
        except NotServed as reason:
            self._wire.refuse(self, reason)
        except BaseException as fault:  # noqa: BLE001 - a native library's panic is one
            _log.error("method broke", exc_info=fault)
            self._wire.refuse(self, MethodBroke("The service failed to handle this call."))

    def _enter(self) -> None:
        """Raises NotServed."""
        self._wire.traffic.enter(self, self.metadata)
        if self._wire.late.is_slow(self):
            raise TooManyCalls("Calls of this connection send no message, and others wait.")

    def _serve(self) -> None:
        message = self._next_message()
        if self.stage is not Stage.MESSAGE or self.gone:
            return  # It was refused already, or its client has cancelled.
        if message is None:
            raise NoMessage("The method takes exactly one message.")
        self.stage = Stage.METHOD
        self.method(message, self)

    def _next_message(self) -> bytes | None:
        """The next message; None if the client ends its side, or the call ends."""
        try:
            return next(self._messages, None)
        except grpc.RpcError:  # The call was cancelled.
            self.gone = True
            return None

    def _end(
        self, message: bytes | None, code: grpc.StatusCode, text: str, trailing: Metadata
    ) -> None:
        self._answered = True
        self.stage, self.since = Stage.READING, monotonic()
        self._wire.senders.submit(self._send_all, message, code, text, trailing)

    def _send_all(
        self, message: bytes | None, code: grpc.StatusCode, text: str, trailing: Metadata
    ) -> None:
        if self._wire.deaf.is_slow(self):
            self.cancel()
            return
        self.since = monotonic()  # It may have waited for this thread.
        self._wire.sending.add(self)
        try:
            self._context.set_trailing_metadata(tuple(trailing))
            if code is not grpc.StatusCode.OK:
                self._context.set_code(code)
                self._context.set_details(text)
            if message is not None:
                self._send(message)
            self._send(None)
        except Exception as fault:  # noqa: BLE001 - the thread must outlive any answer
            _log.error("answer failed", exc_info=fault)
        finally:
            self._wire.sending.discard(self)

    def _ended(self) -> None:
        self._wire.traffic.leave(self)
        with self._ending:
            leave, self._leave = self._leave, None
            self.gone = not self._answered
        if self.gone and leave is not None:
            leave()


class HandledStream(HandledCall):
    """See calls.Stream."""

    def __init__(
        self, messages: Iterator[bytes], context: Any, send: Send, wire: Library, method: Any
    ) -> None:
        super().__init__(messages, context, send, wire, method)
        self._take: Callable[[], bytes | None] = lambda: None
        self._reader = get_ident()
        self._again = self._sending = False
        self._status: tuple[grpc.StatusCode, str, Metadata] | None = None

    def offer(self, take: Callable[[], bytes | None]) -> None:
        """See calls.Stream."""
        self._take = take
        if get_ident() != self._reader:
            self._wire.senders.submit(self._send_offers)

    def complete(self, trailing: Metadata = ()) -> None:
        """See calls.Stream."""
        self._end(None, grpc.StatusCode.OK, "", trailing)

    def _end(
        self,
        message: bytes | None,  # noqa: ARG002 - a stream ends without a message
        code: grpc.StatusCode,
        text: str,
        trailing: Metadata,
    ) -> None:
        self._status = (code, text, trailing)
        self.stage, self.since = Stage.READING, monotonic()
        self._wire.senders.submit(self._send_offers)

    def _serve(self) -> None:
        further, first = True, True
        while further:
            self.stage, self.since = Stage.MESSAGE, monotonic()
            message = self._next_message()
            if self.stage is not Stage.MESSAGE or self.gone:
                return
            if message is None and first:
                raise NoMessage("The method takes a message.")
            if message is None:
                self._end(None, grpc.StatusCode.OK, "", ())
                return
            self.stage, first = Stage.METHOD, False
            further = self.method(message, self)
            self._send_offers()
        self._reader = 0  # From now on, other threads send what is offered.

    def _send_offers(self) -> None:
        """Sends what is offered, and the end, one thread at a time."""
        with self._ending:
            self._again = self._sending
            if self._sending:
                return
            self._sending = True
        while not self.gone:
            while not (self._status or self.gone) and (message := self._take()) is not None:
                self.stage, self.since = Stage.READING, monotonic()
                self._wire.sending.add(self)
                try:
                    self._send(message)
                finally:
                    self._wire.sending.discard(self)
                self.stage = Stage.METHOD
            if self._status is not None:
                self._answered = True
                self.stage, self.since = Stage.READING, monotonic()
                self._send_all(None, *self._status)
                return  # Nothing is sent after the end.
            with self._ending:
                if not self._again:
                    self._sending = False
                    return
                self._again = False
