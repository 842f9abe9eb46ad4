"""The wire on the public `grpc.Server`: the slower body, for versions that `direct` does not know.

Each method is registered as a stream of messages whose handler does not block: it returns at once,
and the answer is sent later, so that no thread waits while a call waits. The library sends
nothing, and reads nothing, without a thread that waits for it; a client that does not read, or
does not send, keeps one of them for as long as the wire's patience lasts, or until they run out.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread
from time import monotonic
from typing import Any, ClassVar

import grpc

from infrastructure.wire.calls import LateMessage, Method, NotServed, Services, StreamMethod
from infrastructure.wire.crowding import Crowding
from infrastructure.wire.handled_calls import HandledCall, HandledStream, Send
from infrastructure.wire.limits import Limits
from infrastructure.wire.traffic import LOOK_EVERY, Stage, Traffic

_TAKERS = 128  # threads; each waits for the message of one call
_SENDERS = 64  # threads; each waits until one message was sent
_LOOK_EVERY = 0.25  # seconds between two looks for calls that hold up others


class HandledWire:
    """See Wire."""

    # Clients can begin calls faster than the library takes them, and each holds some 20 KiB.
    pending: ClassVar[int] = 4096

    def __init__(self, server: grpc.Server, services: Services, limits: Limits) -> None:
        """The server must not have started."""
        self.traffic: Traffic[HandledCall] = Traffic(limits, services.urgent_methods)
        self.senders = ThreadPoolExecutor(_SENDERS, "answers")
        self.sending: set[HandledCall] = set()
        self.late: Crowding[HandledCall] = Crowding(_TAKERS, limits.patience)
        self.deaf: Crowding[HandledCall] = Crowding(_SENDERS, limits.patience)
        self._takers = ThreadPoolExecutor(_TAKERS, "calls")
        self._services = services
        self._names = services.names
        self._closing = Event()
        self._looking = Thread(target=self._look, name="patience", daemon=True)
        handlers = {
            name: self._handler(kind, method)
            for kind, served in ((HandledCall, services.methods), (HandledStream, services.streams))
            for name, method in served.items()
        }
        server.add_generic_rpc_handlers((_Handlers(handlers),))

    def open(self) -> None:
        """See Wire."""
        # A flood starts no threads: all that it can use are there.
        _start(self._takers, _TAKERS)
        _start(self.senders, _SENDERS)
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

    def refuse(self, call: HandledCall, reason: NotServed) -> None:
        """Ends a call for a reason of the wire's own."""
        self._services.refuse(call, reason, self._names.get(call.method, ""))

    def _handler(
        self, kind: type[HandledCall], method: Method | StreamMethod
    ) -> "grpc.RpcMethodHandler[bytes, bytes]":
        def behaviour(messages: Iterator[bytes], context: Any, send: Send) -> None:
            kind(messages, context, send, self, method).run()

        non_blocking: Any = behaviour
        non_blocking.experimental_non_blocking = True
        non_blocking.experimental_thread_pool = self._takers
        return grpc.stream_stream_rpc_method_handler(non_blocking)

    def _look(self) -> None:
        look_at = 0.0
        while not self._closing.wait(_LOOK_EVERY):
            now = monotonic()
            waiting = [call for call in tuple(self.traffic.calls) if call.stage is Stage.MESSAGE]
            for call in self.late.look(waiting, now):
                self.refuse(
                    call, LateMessage("The call's message did not arrive, and others wait.")
                )
            for call in self.deaf.look(tuple(self.sending), now):
                call.cancel()
            if now >= look_at:
                look_at = now + LOOK_EVERY
                self.traffic.look(now, self.refuse)

    def _end_threads(self) -> None:
        for threads in (self._takers, self.senders):
            threads.shutdown()
        if self._looking.is_alive():
            self._looking.join()


def _start(pool: ThreadPoolExecutor, threads: int) -> None:
    """Has a pool start all of its threads."""
    all_of_them = Barrier(threads + 1)
    for _ in range(threads):
        pool.submit(all_of_them.wait)
    all_of_them.wait()


class _Handlers(grpc.GenericRpcHandler):
    """Finds a handler by a method's full name."""

    def __init__(self, handlers: dict[str, "grpc.RpcMethodHandler[bytes, bytes]"]) -> None:
        self._handlers = handlers

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        """The handler of a method; None if it is not one of ours."""
        return self._handlers.get(handler_call_details.method)
