"""The wire on grpcio's core: the fast body, and the only module that knows the core.

grpc.aio spends three tasks and a dozen futures on a call, several times what a command costs
here; the library's other server holds a thread for as long as a call waits. So our methods are
registered with the core that both are made of, with a queue of events and a thread of our own.
Ports, certificates and the stop stay the library's public ones (DECISIONS.md).
"""

from collections.abc import Sequence
from math import inf
from threading import Thread
from time import monotonic, time
from typing import Any, ClassVar

import grpc
import structlog
from grpc._cython import cygrpc  # type: ignore[attr-defined] # noqa: TID251 - no types; the seam

from infrastructure.wire.calls import NAMES, Metadata, Method, NotServed, Services, StreamMethod
from infrastructure.wire.direct_calls import DirectCall, DirectStream, Status, Tag
from infrastructure.wire.limits import Limits
from infrastructure.wire.outbox import Outbox
from infrastructure.wire.traffic import LOOK_EVERY, Traffic

PASSED_WITH = frozenset({"1.85.1"})
"""The versions of grpcio with which the tests of this body passed."""

_LOOK_UP = 0.2  # seconds without an event after which the thread does its regular checks
_STUCK_AFTER = 60.0  # seconds that one event may take
_NO_FLAGS = 0
_IS_SHUT = cygrpc.CompletionType.queue_shutdown
_IS_EMPTY = cygrpc.CompletionType.queue_timeout
_log = structlog.get_logger()


class DirectWire:
    """See Wire."""

    pending: ClassVar[int] = 1_000_000  # It refuses calls faster than clients begin them.

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
        self._names = services.names
        self.traffic: Traffic[DirectCall] = Traffic(limits, services.urgent_methods)
        self.outbox = Outbox(self._thread, self.traffic.calls, _send, _wake)
        self._arrivals = [
            *(_Arrivals(self, name, DirectCall, m) for name, m in services.methods.items()),
            *(_Arrivals(self, name, DirectStream, m) for name, m in services.streams.items()),
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

    def refuse(self, call: DirectCall, reason: NotServed) -> None:
        """Ends a call for a reason of the wire's own."""
        self._services.refuse(call, reason, self._names.get(call.served_by, ""))

    def await_end(self, call: Any, ended: Tag) -> None:
        """See Core."""
        call.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),), ended)

    def await_message(self, call: Any, received: Tag) -> None:
        """See Core."""
        call.start_server_batch((cygrpc.ReceiveMessageOperation(_NO_FLAGS),), received)

    def await_turn(self, call: Any, tag: Tag) -> None:
        """See Core."""
        _wake(call, tag)

    def send_part(
        self, call: Any, part: bytes | Status, sent: Tag | None, *, is_first: bool
    ) -> None:
        """See Core."""
        begin = (cygrpc.SendInitialMetadataOperation((), _NO_FLAGS),) if is_first else ()
        if isinstance(part, bytes):
            what = cygrpc.SendMessageOperation(part, _NO_FLAGS)
        else:
            code, text, trailing = part
            what = cygrpc.SendStatusFromServerOperation(trailing, code, text, _NO_FLAGS)
        call.start_server_batch((*begin, what), sent or _sent)

    def names(self, call: Any) -> Sequence[str]:
        """See Core."""
        found = cygrpc.auth_context(call)
        return [name.decode() for kind in NAMES for name in found.get(kind.encode(), ())]

    def look(self, now: float) -> None:
        """Ends the calls whose clients neither send nor read; does so from time to time."""
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self.traffic.look(now, self.refuse)

    def _take(self) -> None:
        while True:
            self._took_at = monotonic()
            event = self._events.poll(deadline=time() + _LOOK_UP)
            kind = event.completion_type
            if kind == _IS_SHUT:
                return
            try:
                if kind == _IS_EMPTY:
                    if self._closing:
                        self._events.shutdown()
                    self.look(monotonic())
                else:
                    event.tag(event)
            except BaseException as fault:  # noqa: BLE001 - a native library's panic is one
                _log.error("event failed", exc_info=fault)
            # The library keeps a call alive as long as its events are referenced.
            event = None


class _Arrivals:
    """Takes the calls of one method, one after the other."""

    def __init__(
        self, wire: DirectWire, name: str, kind: type[DirectCall], method: Method | StreamMethod
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
        self._wire.look(call.since)


def _send(call: Any, message: bytes | None, code: int, text: bytes, trailing: Metadata) -> None:
    status = cygrpc.SendStatusFromServerOperation(trailing, code, text, _NO_FLAGS)
    begin = cygrpc.SendInitialMetadataOperation((), _NO_FLAGS)
    if message is None:
        call.start_server_batch((begin, status), _sent)
    else:
        body = cygrpc.SendMessageOperation(message, _NO_FLAGS)
        call.start_server_batch((begin, body, status), _sent)


def _wake(call: Any, tag: Tag) -> bool:
    """Starts an empty batch, which is an event at once: its tag is called on the thread."""
    return bool(call.start_server_batch((), tag) == cygrpc.CallError.ok)


def _sent(_: Any) -> None:
    """Nothing follows: the end of the call is an event of its own."""
