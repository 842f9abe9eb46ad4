"""The wire on the public `grpc.Server`: the slower body, for versions that `direct` does not know.

Each method is registered as a stream of messages whose handler does not block: it returns at once,
and the answer is sent later, so that no thread waits while a call waits. The library sends
nothing, and reads nothing, without a thread that waits for it; a client that does not read, or
does not send, keeps one of them for as long as the wire's patience lasts.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock, Thread, get_ident
from time import monotonic
from typing import Any

import grpc
import structlog

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
from infrastructure.wire.traffic import LARGE, LOOK_EVERY, Stage, Traffic, Unread

# Threads are started when needed: usually a message arrives at once and is sent at once.
_TAKERS = 256  # each waits for the message of one call
_SENDERS = 64  # each waits until one message was sent
_log = structlog.get_logger()

Send = Callable[[bytes | None], None]
"""Sends a message, and returns when it was sent; None ends the call with the status set before."""


class HandledWire:
    """See Wire."""

    def __init__(self, server: grpc.Server, services: Services, limits: Limits) -> None:
        """The server must not have started."""
        self.traffic: Traffic[_Call] = Traffic(limits)
        self.senders = ThreadPoolExecutor(_SENDERS, "answers")
        self._takers = ThreadPoolExecutor(_TAKERS, "calls")
        self._services = services
        self._closing = Event()
        self._looking = Thread(target=self._look, name="patience", daemon=True)
        handlers = {
            **{name: self._handler(_Call, method) for name, method in services.methods.items()},
            **{name: self._handler(_Stream, method) for name, method in services.streams.items()},
        }
        server.add_generic_rpc_handlers((_Handlers(handlers),))

    def open(self) -> None:
        """See Wire."""
        self._looking.start()

    @property
    def alive(self) -> bool:
        """See Wire. The library's own threads take the calls; only the look for overdue is ours."""
        return not self._looking.ident or self._looking.is_alive()

    def close(self, within: float) -> bool:
        """See Wire."""
        self._closing.set()
        ending = Thread(target=self._end_threads, daemon=True)
        ending.start()
        ending.join(within)
        return not ending.is_alive()

    def refuse(self, call: "_Call", reason: NotServed) -> None:
        """Ends a call for a reason of the wire's own."""
        self._services.refuse(call, reason)

    def _handler(
        self, kind: "type[_Call]", method: Method | StreamMethod
    ) -> "grpc.RpcMethodHandler[bytes, bytes]":
        def behaviour(messages: Iterator[bytes], context: Any, send: Send) -> None:
            kind(messages, context, send, self, method).run()

        non_blocking: Any = behaviour
        non_blocking.experimental_non_blocking = True
        non_blocking.experimental_thread_pool = self._takers
        return grpc.stream_stream_rpc_method_handler(non_blocking)

    def _look(self) -> None:
        while not self._closing.wait(LOOK_EVERY):
            if self.traffic.has_subsided():
                give_back()
            for call in self.traffic.overdue(monotonic()):
                if call.stage is Stage.MESSAGE:
                    self.refuse(call, LateMessage("The call's message did not arrive in time."))
                else:
                    call.cancel()

    def _end_threads(self) -> None:
        for threads in (self._takers, self.senders):
            threads.shutdown()
        if self._looking.is_alive():
            self._looking.join()


class _Handlers(grpc.GenericRpcHandler):
    """Finds a handler by a method's full name."""

    def __init__(self, handlers: dict[str, "grpc.RpcMethodHandler[bytes, bytes]"]) -> None:
        self._handlers = handlers

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        """The handler of a method; None if it is not one of ours."""
        return self._handlers.get(handler_call_details.method)


class _Call:
    """See calls.Call."""

    def __init__(
        self, messages: Iterator[bytes], context: Any, send: Send, wire: HandledWire, method: Any
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
        self._method = method
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
            self._wire.traffic.enter(self, self.metadata)
            self._serve()
        except NotServed as reason:
            self._wire.refuse(self, reason)
        except BaseException as fault:  # noqa: BLE001 - a native library's panic is one
            _log.error("method broke", exc_info=fault)
            self._wire.refuse(self, MethodBroke("The service failed to handle this call."))

    def _serve(self) -> None:
        message = self._next_message()
        if self.stage is not Stage.MESSAGE or self.gone:
            return  # It was refused already, or its client has cancelled.
        if message is None:
            raise NoMessage("The method takes exactly one message.")
        self.stage = Stage.METHOD
        self._method(message, self)

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

    def _ended(self) -> None:
        self._wire.traffic.leave(self)
        with self._ending:
            leave, self._leave = self._leave, None
            self.gone = not self._answered
        if self.gone and leave is not None:
            leave()


class _Stream(_Call):
    """See calls.Stream."""

    def __init__(
        self, messages: Iterator[bytes], context: Any, send: Send, wire: HandledWire, method: Any
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
            further = self._method(message, self)
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
                self._send(message)
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
