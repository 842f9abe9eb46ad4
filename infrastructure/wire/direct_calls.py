"""The calls of the fast body: what each of them waits for, step by step.

A step is asked of grpcio's core by a method of `Core`; its body, `direct`, alone knows the core.
When the step is done, its tag is called with the core's event, on the thread that takes calls.
"""

from collections.abc import Callable, Sequence
from time import monotonic, time
from typing import Any, Protocol

import grpc
import structlog

from infrastructure.wire.calls import Metadata, MethodBroke, NoMessage, NotServed, StreamMethod
from infrastructure.wire.outbox import Outbox
from infrastructure.wire.traffic import LARGE, Stage, Traffic, Unread

Tag = Callable[[Any], None]
Status = tuple[int, bytes, Metadata]
"""A code, a text, and trailing metadata."""

_OK: int = grpc.StatusCode.OK.value[0]
_MESSAGE = Stage.MESSAGE
_METHOD = Stage.METHOD
_READING = Stage.READING
_log = structlog.get_logger()


class Core(Protocol):
    """What calls need of the wire that took them. A `call` here is the core's own."""

    traffic: "Traffic[DirectCall]"
    outbox: Outbox

    def refuse(self, call: "DirectCall", reason: NotServed) -> None:
        """Ends a call for a reason of the wire's own."""
        ...

    def await_end(self, call: Any, ended: Tag) -> None:
        """Waits for the end of the call, by the client or by the service."""
        ...

    def await_message(self, call: Any, received: Tag) -> None:
        """Waits for a message, or for the end of the client's side."""
        ...

    def await_turn(self, call: Any, tag: Tag) -> None:
        """Has the tag called soon, on the thread that takes calls."""
        ...

    def send_part(
        self, call: Any, part: bytes | Status, sent: Tag | None, *, is_first: bool
    ) -> None:
        """Sends a message of a stream, or its end."""
        ...

    def names(self, call: Any) -> Sequence[str]:
        """The names in the client's verified certificate. See calls.Call."""
        ...


class DirectCall:
    """See calls.Call."""

    __slots__ = (
        "_call",
        "_leave",
        "_wire",
        "deadline",
        "gone",
        "metadata",
        "method",
        "since",
        "stage",
        "unread",
    )  # fmt: skip

    def __init__(self, event: Any, wire: Core, method: Any) -> None:
        self.since = now = monotonic()
        self.stage = _MESSAGE
        self.unread: Unread | None = None
        self.gone = False
        self.metadata: Metadata = event.invocation_metadata
        self.deadline: float = now + event.call_details.deadline - time()
        self._call = event.call
        self._leave: Callable[[], object] | None = None
        self._wire = wire
        self.method = method

    @property
    def peer(self) -> str:
        """See calls.Call."""
        return str(self._call.peer(), "ascii", "replace")

    @property
    def identities(self) -> Sequence[str]:
        """See calls.Call."""
        return self._wire.names(self._call)

    @property
    def served_by(self) -> Any:
        """The method or stream of the service."""
        return self.method

    def answer(self, message: bytes, trailing: Metadata = ()) -> None:
        """See calls.Call."""
        if len(message) > LARGE:
            try:
                self._wire.traffic.answer(self, len(message))
            except NotServed as unread:
                self._wire.refuse(self, unread)
                return
        self._end(message, _OK, b"", trailing)

    def refuse(self, code: grpc.StatusCode, text: str, trailing: Metadata = ()) -> None:
        """See calls.Call."""
        self._end(None, code.value[0], text.encode(), trailing)

    def when_cancelled(self, leave: Callable[[], object]) -> None:
        """See calls.Call; `leave` runs on the thread that takes calls."""
        if self.gone:
            leave()
        else:
            self._leave = leave

    def begin(self) -> None:
        """Waits for the end of the call and for its message; called once."""
        self._wire.await_end(self._call, self._ended)
        try:
            self._wire.traffic.enter(self, self.metadata)
        except NotServed as reason:
            self._wire.refuse(self, reason)
        else:
            self._wire.await_message(self._call, self._received)

    def cancel(self) -> None:
        """Ends the call without a status, since its client does not read."""
        self._call.cancel()

    def _received(self, event: Any) -> None:
        if self.stage is not _MESSAGE:
            return  # It was refused already.
        message = event.batch_operations[0].message()
        if message is None:
            self._wire.refuse(self, NoMessage("The method takes exactly one message."))
            return
        self.stage = _METHOD
        try:
            self.method(message, self)
        except BaseException as fault:  # noqa: BLE001 - as in the thread's loop
            _log.error("method broke", exc_info=fault)
            self._wire.refuse(self, MethodBroke("The service failed to handle this call."))

    def _end(self, message: bytes | None, code: int, text: bytes, trailing: Metadata) -> None:
        self.stage = _READING
        self.since = monotonic()
        self._wire.outbox.send(self._call, message, code, text, trailing)

    def _ended(self, event: Any) -> None:
        self._wire.traffic.leave(self)
        leave, self._leave = self._leave, None
        self.gone = event.batch_operations[0].cancelled()
        if self.gone and leave is not None:
            leave()


class DirectStream(DirectCall):
    """See calls.Stream. All but offers and refusals happens on the thread that takes calls."""

    __slots__ = ("_begun", "_further", "_read_by", "_sending", "_status", "_take")

    def __init__(self, event: Any, wire: Core, method: StreamMethod) -> None:
        super().__init__(event, wire, self._read)
        self._read_by = method
        self._take: Callable[[], bytes | None] = _nothing
        self._status: Status | None = None
        self._begun = self._further = self._sending = False

    @property
    def served_by(self) -> Any:
        """See DirectCall."""
        return self._read_by

    def offer(self, take: Callable[[], bytes | None]) -> None:
        """See calls.Stream."""
        self._take = take
        self._wire.await_turn(self._call, self._go_on)

    def complete(self, trailing: Metadata = ()) -> None:
        """See calls.Stream."""
        self._end(None, _OK, b"", trailing)

    def cancel(self) -> None:
        """Ends the stream though its client does not read: with its status, if it has one.

        The status overtakes the message that waits to be read, without its trailing metadata.
        """
        if self._status is None:
            super().cancel()
        else:
            code, text, _ = self._status
            self._call.cancel(code, text)

    def _read(self, message: bytes, _: DirectCall) -> None:
        self._further = self._read_by(message, self)
        self._go_on(None)

    def _received(self, event: Any) -> None:
        if self._begun and event.batch_operations[0].message() is None:
            self._end(None, _OK, b"", ())  # The client sends no more, and has all answers.
        else:
            super()._received(event)

    def _end(self, message: bytes | None, code: int, text: bytes, trailing: Metadata) -> None:  # noqa: ARG002 - a stream ends without a message
        self._status = (code, text, trailing)
        self._wire.await_turn(self._call, self._go_on)

    def _go_on(self, _: Any) -> None:
        """Does the next possible step: sends a message, ends, or reads further."""
        if self._sending or self.gone:
            return
        part = self._take() if self._status is None else self._status
        if part is not None:
            is_first, self._begun, self._sending = not self._begun, True, True
            self.stage, self.since = _READING, monotonic()
            sent = self._left if self._status is None else None
            self._wire.send_part(self._call, part, sent, is_first=is_first)
        elif self._further:
            self._further = False
            self.stage, self.since = _MESSAGE, monotonic()
            self._wire.await_message(self._call, self._received)

    def _ended(self, event: Any) -> None:
        super()._ended(event)
        # Both refer to this stream, which otherwise only the garbage collector would free.
        self.method = self._take = _nothing

    def _left(self, _: Any) -> None:
        self._sending = False
        self.stage = _METHOD
        self._go_on(None)


def _nothing() -> bytes | None:
    """A stream to which nothing was offered yet."""
    return None
