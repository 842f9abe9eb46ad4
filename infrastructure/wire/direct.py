"""Unary calls answered below the library's handlers: the hot road of every method of ours.

grpc.aio spends three tasks and a dozen futures on a call, several times what a command costs
here; the library's other server holds a thread for as long as a call waits. So our methods are
registered with the core that both are made of, with a queue of events and a thread of our own.
Everything else about the server (ports, health, reflection, stopping) stays the library's. This
is the only module that touches the library's internals; grpcio is pinned for its sake
(DECISIONS.md).
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Thread, get_ident
from typing import Any

import grpc
import structlog
from grpc._cython import cygrpc  # type: ignore[attr-defined] # noqa: TID251 - no types; the seam

Metadata = Sequence[tuple[str, str | bytes]]
Method = Callable[[bytes, "Call"], None]
"""Takes a request's bytes and its call, which it answers once, now or later."""

_NO_FLAGS = 0
_LOOK_UP = 0.2  # seconds without an event after which the thread sees that it is to end
_log = structlog.get_logger()


class Call:
    """One call, until it is answered. Answering is safe from any thread, and done once."""

    __slots__ = ("_call", "_gone", "_on_cancelled", "_outbox", "deadline", "metadata")

    def __init__(self, event: Any, outbox: "_Outbox") -> None:
        self._call = event.call
        self._outbox = outbox
        self._on_cancelled: Callable[[], object] | None = None
        self._gone = False
        self.metadata: Metadata = event.invocation_metadata
        self.deadline: float = time.monotonic() + event.call_details.deadline - time.time()
        """When the caller stops waiting, by the monotonic clock; far off where it gave none."""

    @property
    def peer(self) -> str:
        """The client's address as gRPC writes it, such as ipv4:127.0.0.1:50500."""
        return str(self._call.peer(), "ascii", "replace")

    def answer(self, message: bytes, trailing: Metadata = ()) -> None:
        """Ends the call with a message."""
        self._outbox.send(self._call, message, cygrpc.StatusCode.ok, b"", trailing)

    def refuse(self, code: grpc.StatusCode, text: str, trailing: Metadata = ()) -> None:
        """Ends the call with a status other than OK."""
        self._outbox.send(self._call, None, code.value[0], text.encode(), trailing)

    def when_cancelled(self, leave: Callable[[], object]) -> None:
        """What to do where the caller goes away, or its deadline passes, before the answer.

        To be said before the method returns; it is done on the thread that takes calls, at once
        where the caller is gone already.
        """
        if self._gone:
            leave()
        else:
            self._on_cancelled = leave

    def listen(self, method: Method) -> None:
        """Waits for the end of the call, and for the request's bytes, which the method gets."""

        def received(event: Any) -> None:
            # A caller that ends its side without a message is refused for what an empty one lacks.
            method(event.batch_operations[0].message() or b"", self)

        start = self._call.start_server_batch
        start((cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),), self._closed)
        start((cygrpc.ReceiveMessageOperation(_NO_FLAGS),), received)

    def _closed(self, event: Any) -> None:
        self._outbox.open_calls -= 1
        leave, self._on_cancelled = self._on_cancelled, None
        self._gone = event.batch_operations[0].cancelled()
        if self._gone and leave is not None:
            leave()


class DirectMethods:
    """Methods that a server of the library's offers beside its own services."""

    def __init__(self, server: grpc.Server, methods: Mapping[str, Method]) -> None:
        """`methods` are by their full names, /package.Service/Method; the server may not run."""
        internals: Any = server
        self._core = internals._cy_server  # noqa: SLF001 - the seam of this module
        self._events = cygrpc.CompletionQueue()
        self._core.register_completion_queue(self._events)
        self._closing = False
        self._thread = Thread(target=self._take, name="calls", daemon=True)
        outbox = _Outbox(self._thread)
        self._methods = [
            _Arrivals(self._core, self._events, outbox, name, method)
            for name, method in methods.items()
        ]

    def open(self) -> None:
        """Takes calls from now on. To be said once, after the server has started."""
        for arrivals in self._methods:
            arrivals.await_next()
        self._thread.start()

    def close(self) -> None:
        """Ends the thread. To be said once, after the server has stopped.

        Nobody may answer a call any more: gRPC's core ends the process for it.
        """
        self._closing = True
        self._thread.join()

    def _take(self) -> None:
        while True:
            event = self._events.poll(deadline=time.time() + _LOOK_UP)
            if event.completion_type == cygrpc.CompletionType.queue_timeout:
                if self._closing:
                    self._events.shutdown()
                continue
            if event.completion_type == cygrpc.CompletionType.queue_shutdown:
                return
            try:
                event.tag(event)
            except Exception as fault:  # noqa: BLE001 - the thread must outlive any event
                _log.error("event failed", exc_info=fault)
            # The library keeps a call alive for as long as anyone knows of its events.
            event = None


class _Arrivals:
    """Takes the calls of one method, one after the other."""

    def __init__(
        self, core: Any, events: Any, outbox: "_Outbox", name: str, method: Method
    ) -> None:
        self._core = core
        self._events = events
        self._outbox = outbox
        self._name = name
        self._method = method
        core.register_method(name)

    def await_next(self) -> None:
        self._core.request_registered_call(self._events, self._events, self._name, self._arrived)

    def _arrived(self, event: Any) -> None:
        if not event.success:  # The server stops.
            return
        with suppress(ValueError):  # The server began to stop; this call is still answered.
            self.await_next()
        self._outbox.open_calls += 1
        Call(event, self._outbox).listen(self._method)


class _Outbox:
    """Answers on their way: those of other threads leave together, on the thread that takes calls.

    Sending lets go of the interpreter's lock. A thread that sent a batch of answers itself would
    hand the lock to and fro with the thread that takes calls, at each of them: across processors
    that costs more than all else that a call costs (DECISIONS.md). A lone answer has nobody to
    wait for, and leaves where it is.
    """

    def __init__(self, thread: Thread) -> None:
        self._thread = thread
        self._waiting: deque[tuple[Any, bytes | None, int, bytes, Metadata]] = deque()
        self._told = False
        self.open_calls = 0
        """How many calls are under way; counted on the thread that takes calls."""

    def send(
        self, call: Any, message: bytes | None, code: int, text: bytes, trailing: Metadata
    ) -> None:
        if self.open_calls == 1 or get_ident() == self._thread.ident:
            _send(call, message, code, text, trailing)
            return
        self._waiting.append((call, message, code, text, trailing))
        if not self._told:
            self._told = True
            # An empty batch of operations is an event at once, and wakes the thread.
            if call.start_server_batch((), self._empty) != cygrpc.CallError.ok:
                self._empty(None)

    def _empty(self, _: Any) -> None:
        self._told = False
        while self._waiting:
            try:
                _send(*self._waiting.popleft())
            except Exception as fault:  # noqa: BLE001 - those behind it must leave
                _log.error("answer failed", exc_info=fault)


def _send(call: Any, message: bytes | None, code: int, text: bytes, trailing: Metadata) -> None:
    status = cygrpc.SendStatusFromServerOperation(trailing, code, text, _NO_FLAGS)
    begin = cygrpc.SendInitialMetadataOperation((), _NO_FLAGS)
    if message is None:
        call.start_server_batch((begin, status), _sent)
    else:
        body = cygrpc.SendMessageOperation(message, _NO_FLAGS)
        call.start_server_batch((begin, body, status), _sent)


def _sent(_: Any) -> None:
    """A call that has ended needs nothing more."""
