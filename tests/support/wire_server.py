"""A server of a test's own methods, on a body of the wire, and a channel to call them."""

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, Thread, current_thread
from typing import Any

import grpc

from infrastructure.wire.calls import Call, Method, Services, StreamMethod
from infrastructure.wire.choice import Body
from infrastructure.wire.direct import DirectWire
from infrastructure.wire.handled import HandledWire
from infrastructure.wire.limits import Limits

SOON = 30.0  # seconds: patience with a slow machine, not an expectation

BODIES: Mapping[str, Body] = {"direct": DirectWire, "handled": HandledWire}
HOLD = "/tests.Service/Hold"
ECHO = "/tests.Service/Echo"


def echo(request: bytes, call: Call) -> None:
    """A method that answers at once with what it was sent."""
    call.answer(request)


class Waiting:
    """A method whose calls wait until a test answers them.

    It knows which calls were cancelled, and the threads on which it was called.
    """

    def __init__(self) -> None:
        self.threads: set[Thread] = set()
        self._arrived: SimpleQueue[tuple[bytes, Call]] = SimpleQueue()
        self._left: SimpleQueue[bytes] = SimpleQueue()

    def __call__(self, request: bytes, call: Call) -> None:
        """The method."""
        self.threads.add(current_thread())
        call.when_cancelled(lambda: self._left.put(request))
        self._arrived.put((request, call))

    def next(self) -> tuple[bytes, Call]:
        """The next call, within SOON seconds."""
        return self._arrived.get(timeout=SOON)

    def answer_arrived(self) -> bool:
        """Answers the calls that have arrived with what they sent."""
        while not self.none_arrived:
            request, call = self.next()
            call.answer(request)
        return True

    @property
    def none_arrived(self) -> bool:
        """Whether all calls that came were asked for."""
        return self._arrived.empty()

    def next_that_left(self) -> bytes:
        """The request of the next call that was cancelled, within SOON seconds."""
        return self._left.get(timeout=SOON)

    @property
    def all_stayed(self) -> bool:
        """Whether no call was cancelled but those that were asked for."""
        return self._left.empty()


class Busy:
    """A method that blocks the thread that takes calls until the test frees it."""

    def __init__(self) -> None:
        self.free = Event()
        self._begun = Event()

    def __call__(self, request: bytes, call: Call) -> None:
        """The method."""
        self._begun.set()
        assert self.free.wait(SOON)
        call.answer(request)

    def wait(self) -> None:
        """Waits until the thread is blocked."""
        assert self._begun.wait(SOON)


class WireServer:
    """The server, as long as it runs, and a channel to it."""

    def __init__(
        self,
        body: Body,
        methods: Mapping[str, Method],
        streams: Mapping[str, StreamMethod] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        urgent: Collection[str] = (),
    ) -> None:
        """Serves methods and streams by their full names."""
        options = limits.options(shares_port=False, pending=body.pending)
        self._server = grpc.server(ThreadPoolExecutor(1), options=options)
        self._wire = body(
            self._server, Services(methods, streams or {}, urgent=frozenset(urgent)), limits
        )
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._wire.open()
        self.address = f"127.0.0.1:{port}"
        self.channel = grpc.insecure_channel(self.address)

    def call(self, name: str) -> "grpc.UnaryUnaryMultiCallable[bytes, bytes]":
        """A method of bytes, by its full name."""
        return self.channel.unary_unary(name)

    def stream(self, name: str) -> "grpc.StreamStreamMultiCallable[bytes, bytes]":
        """A stream of bytes, by its full name."""
        return self.channel.stream_stream(name)

    @property
    def alive(self) -> bool:
        """See Wire.alive."""
        return self._wire.alive

    def stop(self, within: float | None = None) -> None:
        """Stops the server, within SOON seconds; calls that wait end after so many seconds."""
        assert self._server.stop(within).wait(SOON)

    def close(self) -> None:
        """Ends the threads, within SOON seconds."""
        assert self._wire.close(SOON), "the threads do not end"


class Serving:
    """Starts servers on one body of the wire."""

    def __init__(self, body: str) -> None:
        self.body = body

    def start(self, methods: Mapping[str, Method]) -> WireServer:
        """A server that the test stops and closes itself."""
        return WireServer(BODIES[self.body], methods)

    @contextmanager
    def __call__(
        self,
        methods: Mapping[str, Method],
        streams: Mapping[str, StreamMethod] | None = None,
        urgent: Collection[str] = (),
        **limits: float,
    ) -> Iterator[WireServer]:
        """Methods by their full names on a server that is stopped and closed in the end."""
        bounds: Any = limits
        server = WireServer(BODIES[self.body], methods, streams, Limits(**bounds), urgent)
        try:
            with server.channel:
                yield server
        finally:
            server.stop()
            server.close()


def error_of(call: "grpc.Future[bytes]") -> Any:
    """How a call failed: with a code, a text and trailing metadata, which its type hides."""
    error = call.exception(SOON)
    assert isinstance(error, grpc.RpcError)
    return error
