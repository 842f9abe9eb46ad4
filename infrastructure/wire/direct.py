"""The wire on grpcio's core: the fast body, and the only module that knows the core.

grpc.aio spends three tasks and a dozen futures on a call, several times what a command costs
here; the library's other server holds a thread for as long as a call waits. So our methods are
registered with the core that both are made of, with a queue of events and a thread of our own.
Ports, certificates and the stop stay the library's public ones (DECISIONS.md).
"""

from collections.abc import Callable, Sequence
from math import inf
from threading import Thread
from time import monotonic, time
from typing import Any

import grpc
import structlog
from grpc._cython import cygrpc  # type: ignore[attr-defined] # noqa: TID251 - no types; the seam

from infrastructure.wire.calls import (
    NAMES,
    LateMessage,
    Metadata,
    Method,
    MethodBroke,
    NoMessage,
    NotServed,
    Services,
    StreamMethod,
)
from infrastructure.wire.limits import Limits
from infrastructure.wire.memory import give_back
from infrastructure.wire.outbox import Outbox
from infrastructure.wire.traffic import LARGE, LOOK_EVERY, Stage, Traffic, Unread

PASSED_WITH = frozenset({"1.85.1"})
"""The versions of grpcio with which the tests of this body passed."""

_LOOK_UP = 0.2  # seconds without an event after which the thread does its regular checks
_STUCK_AFTER = 60.0  # seconds that one event may take
_NO_FLAGS = 0
_OK = cygrpc.StatusCode.ok
_MESSAGE = Stage.MESSAGE
_METHOD = Stage.METHOD
_READING = Stage.READING
_log = structlog.get_logger()


class DirectWire:
    """See Wire."""

    def __init__(self, server: grpc.Server, services: Services, limits: Limits) -> None:
        """The server must not have started."""
        internals: Any = server
        self._core = internals._cy_server  # noqa: SLF001 - the seam of this module
        self._events = cygrpc.CompletionQueue()
        self._core.register_completion_queue(self._events)
        self._closing = False
        self._look_at = 0.0
        self._took_at = inf
        self._thread = Thread(target=self._take, name="calls", daemon=True)
        self._services = services
        self.traffic: Traffic[_Call] = Traffic(limits)
        self.outbox = Outbox(self._thread, self.traffic.calls, _send, _wake)
        self._arrivals = [
            *(_Arrivals(self, name, _Call, m) for name, m in services.methods.items()),
            *(_Arrivals(self, name, _Stream, m) for name, m in services.streams.items()),
        ]
        for arrivals in self._arrivals:
            self._core.register_method(arrivals.name)

    def open(self) -> None:
        """See Wire."""
        for arrivals in self._arrivals:
            self.await_next(arrivals)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """See Wire."""
        return monotonic() - self._took_at < _STUCK_AFTER

    def close(self, within: float) -> bool:
        """See Wire."""
        self._closing = True
        self._thread.join(within)
        return not self._thread.is_alive()

    def await_next(self, arrivals: "_Arrivals") -> None:
        """Asks the core for the next call of a method. Raises ValueError if the server stops."""
        self._core.request_registered_call(
            self._events, self._events, arrivals.name, arrivals.arrived
        )

    def refuse(self, call: "_Call", reason: NotServed) -> None:
        """Ends a call for a reason of the wire's own."""
        self._services.refuse(call, reason)

    def end_overdue(self, now: float) -> None:
        """Ends the calls whose clients neither send nor read; does so from time to time."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY
        if self.traffic.has_subsided():
            give_back()
        for call in self.traffic.overdue(now):
            if call.stage is _MESSAGE:
                self.refuse(call, LateMessage("The call's message did not arrive in time."))
            else:
                call.cancel()

    def _take(self) -> None:
        while True:
            self._took_at = monotonic()
            event = self._events.poll(deadline=time() + _LOOK_UP)
            if event.completion_type == cygrpc.CompletionType.queue_shutdown:
                return
            try:
                if event.completion_type == cygrpc.CompletionType.queue_timeout:
                    if self._closing:
                        self._events.shutdown()
                    self.end_overdue(monotonic())
                else:
                    event.tag(event)
            except BaseException as fault:  # noqa: BLE001 - a native library's panic is one
                _log.error("event failed", exc_info=fault)
            # The library keeps a call alive as long as its events are referenced.
            event = None


class _Arrivals:
    """Takes the calls of one method, one after the other."""

    def __init__(
        self, wire: DirectWire, name: str, kind: "type[_Call]", method: Method | StreamMethod
    ) -> None:
        self.name = name
        self._wire = wire
        self._kind = kind
        self._method = method

    def arrived(self, event: Any) -> None:
        """A call has come, or the server stops."""
        if not event.success:
            return
        try:
            self._wire.await_next(self)
        except ValueError:
            _log.debug("server stops")  # This call is still answered.
        call = self._kind(event, self._wire, self._method)
        call.begin()
        self._wire.end_overdue(call.since)


class _Call:
    """See calls.Call; this is a call of the core."""

    __slots__ = (
        "_call", "_leave", "_method", "_wire", "deadline", "gone", "metadata", "since", "stage",
        "unread",
    )  # fmt: skip

    def __init__(self, event: Any, wire: DirectWire, method: Any) -> None:
        self.since = now = monotonic()
        self.stage = _MESSAGE
        self.unread: Unread | None = None
        self.gone = False
        self.metadata: Metadata = event.invocation_metadata
        self.deadline: float = now + event.call_details.deadline - time()
        self._call = event.call
        self._leave: Callable[[], object] | None = None
        self._wire = wire
        self._method = method

    @property
    def peer(self) -> str:
        """See calls.Call."""
        return str(self._call.peer(), "ascii", "replace")

    @property
    def identities(self) -> Sequence[str]:
        """See calls.Call."""
        found = cygrpc.auth_context(self._call)
        return [name.decode() for kind in NAMES for name in found.get(kind.encode(), ())]

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
        self._call.start_server_batch(
            (cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),), self._ended
        )
        try:
            self._wire.traffic.enter(self, self.metadata)
        except NotServed as reason:
            self._wire.refuse(self, reason)
        else:
            self.receive()

    def receive(self) -> None:
        """Waits for a message."""
        self._call.start_server_batch((cygrpc.ReceiveMessageOperation(_NO_FLAGS),), self._received)

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
            self._method(message, self)
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


class _Stream(_Call):
    """See calls.Stream. All but offers and refusals happens on the thread that takes calls."""

    __slots__ = ("_begun", "_further", "_read_by", "_sending", "_status", "_take")

    def __init__(self, event: Any, wire: DirectWire, method: StreamMethod) -> None:
        super().__init__(event, wire, self._read)
        self._read_by = method
        self._take: Callable[[], bytes | None] = _nothing
        self._status: Any = None
        self._begun = self._further = self._sending = False

    def offer(self, take: Callable[[], bytes | None]) -> None:
        """See calls.Stream."""
        self._take = take
        self._call.start_server_batch((), self._go_on)

    def complete(self, trailing: Metadata = ()) -> None:
        """See calls.Stream."""
        self._end(None, _OK, b"", trailing)

    def _read(self, message: bytes, _: _Call) -> None:
        self._further = self._read_by(message, self)
        self._go_on(None)

    def _received(self, event: Any) -> None:
        if self._begun and event.batch_operations[0].message() is None:
            self._end(None, _OK, b"", ())  # The client sends no more, and has all answers.
        else:
            super()._received(event)

    def _end(self, message: bytes | None, code: int, text: bytes, trailing: Metadata) -> None:  # noqa: ARG002 - a stream ends without a message
        self._status = cygrpc.SendStatusFromServerOperation(trailing, code, text, _NO_FLAGS)
        self._call.start_server_batch((), self._go_on)

    def _go_on(self, _: Any) -> None:
        """Does the next possible step: sends a message, ends, or reads further."""
        if self._sending or self.gone:
            return
        message = None if self._status else self._take()
        if self._status or message is not None:
            what = self._status or cygrpc.SendMessageOperation(message, _NO_FLAGS)
            begin = () if self._begun else (cygrpc.SendInitialMetadataOperation((), _NO_FLAGS),)
            self._begun = self._sending = True
            self.stage, self.since = _READING, monotonic()
            self._call.start_server_batch((*begin, what), _sent if self._status else self._left)
        elif self._further:
            self._further = False
            self.stage, self.since = _MESSAGE, monotonic()
            self.receive()

    def _ended(self, event: Any) -> None:
        super()._ended(event)
        # Both refer to this stream, which otherwise only the garbage collector would free.
        self._method = self._take = _nothing

    def _left(self, _: Any) -> None:
        self._sending = False
        self.stage = _METHOD
        self._go_on(None)


def _send(call: Any, message: bytes | None, code: int, text: bytes, trailing: Metadata) -> None:
    status = cygrpc.SendStatusFromServerOperation(trailing, code, text, _NO_FLAGS)
    begin = cygrpc.SendInitialMetadataOperation((), _NO_FLAGS)
    if message is None:
        call.start_server_batch((begin, status), _sent)
    else:
        body = cygrpc.SendMessageOperation(message, _NO_FLAGS)
        call.start_server_batch((begin, body, status), _sent)


def _wake(call: Any, function: Callable[[Any], None]) -> bool:
    """Starts an empty batch, which is an event at once: its tag is called on the thread."""
    return bool(call.start_server_batch((), function) == cygrpc.CallError.ok)


def _sent(_: Any) -> None:
    """Nothing follows: the end of the call is an event of its own."""


def _nothing() -> bytes | None:
    """A stream to which nothing was offered yet."""
    return None
