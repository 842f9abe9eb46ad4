"""What one client may take of the wire, on both of its bodies."""

from collections import Counter
from collections.abc import Iterator
from time import sleep
from typing import Any

import grpc
import pytest
from hyperframe.frame import GoAwayFrame

from infrastructure.settings import Settings
from infrastructure.wire.calls import Call
from infrastructure.wire.limits import Limits
from infrastructure.wiring.limits import wire_limits
from tests.support.http2 import Http2, data, ping, window
from tests.support.waiting import until
from tests.support.wire_server import (
    ECHO,
    HOLD,
    SOON,
    Serving,
    Waiting,
    WireServer,
    echo,
    error_of,
)

LARGE = "/tests.Service/Large"
Code = grpc.StatusCode


def large(_: bytes, call: Call) -> None:
    """A method with a large answer."""
    call.answer(b"x" * 100_000)


@pytest.fixture
def server(serving: Serving, held: Waiting) -> Iterator[WireServer]:
    """A server with low bounds."""
    bounds: dict[str, Any] = {
        "patience": 1.0,
        "calls": 20,
        "metadata_bytes": 4096,
        "request_bytes": 10_000,
        "unread_bytes": 300_000,
        "calls_per_connection": 15,
        "ping_every": 0.1,
    }
    with serving({ECHO: echo, HOLD: held, LARGE: large}, **bounds) as server:
        yield server


def refusal(server: WireServer, message: bytes = b"", **options: Any) -> Any:
    """How a call is refused."""
    return error_of(server.call(ECHO).future(message, timeout=SOON, **options))


def test_a_message_that_does_not_come_is_not_waited_for(server: WireServer) -> None:
    with Http2(server.address) as client:
        silent, slow = client.headers(ECHO), client.headers(ECHO)
        client.send(silent, slow, data(slow.stream_id, b"half", ends=False))
        ending = client.ending_of(silent.stream_id)
        assert ending["grpc-status"] == str(Code.DEADLINE_EXCEEDED.value[0])
        assert "did not arrive in time" in ending["grpc-message"]
        assert client.ending_of(slow.stream_id)["grpc-status"] == "0"


def test_calls_beyond_the_bound_are_refused_in_words_and_later_ones_are_not(
    server: WireServer, held: Waiting
) -> None:
    channels = [grpc.insecure_channel(server.address, [("n", n)]) for n in range(2)]
    methods: list[grpc.UnaryUnaryMultiCallable[bytes, bytes]]
    methods = [channel.unary_unary(HOLD) for channel in channels]
    calling = [methods[n % 2].future(b"%d" % n, timeout=SOON) for n in range(25)]
    waiting = [held.next() for _ in range(20)]
    until(lambda: sum(call.done() for call in calling) == 5)
    refused = [error_of(call) for call in calling if call.done()]
    assert {error.code() for error in refused} == {Code.UNAVAILABLE}
    for request, call in waiting:
        call.answer(request)
    assert sum(call.exception(SOON) is None for call in calling) == 20
    assert server.call(ECHO)(b"later", timeout=SOON) == b"later"
    for channel in channels:
        channel.close()


def test_an_urgent_method_is_called_however_many_calls_are_under_way(
    serving: Serving, held: Waiting
) -> None:
    with serving({HOLD: held, ECHO: echo}, urgent=[ECHO], calls=1) as server:
        calling = server.call(HOLD).future(b"", timeout=SOON)
        request, call = held.next()

        assert error_of(server.call(HOLD).future(b"", timeout=SOON)).code() is Code.UNAVAILABLE
        assert server.call(ECHO)(b"well?", timeout=SOON) == b"well?"

        call.answer(request)
        assert calling.result(SOON) == b""


@pytest.mark.parametrize("bound", ["connection_idle", "connection_age"])
def test_a_connection_ends_when_it_is_idle_or_old(serving: Serving, bound: str) -> None:
    bounds: dict[str, Any] = {"connection_idle": 0.0, "connection_age": 0.0, bound: 0.3}
    with serving({ECHO: echo}, **bounds) as server, Http2(server.address) as client:
        headers = client.headers(ECHO)
        client.send(headers, data(headers.stream_id, b"a"))
        assert client.ending_of(headers.stream_id)["grpc-status"] == "0"
        assert any(isinstance(frame, GoAwayFrame) for frame in client.frames())
        assert server.call(ECHO)(b"on another connection", timeout=SOON)


def test_a_connection_has_so_many_calls_at_once_and_keeps_further_ones_waiting(
    server: WireServer, held: Waiting
) -> None:
    calling = [server.call(HOLD).future(b"%d" % n, timeout=SOON) for n in range(18)]
    waiting = [held.next() for _ in range(15)]
    with Http2(server.address) as client:
        headers = client.headers(ECHO)
        client.send(headers, data(headers.stream_id, b"on another connection"))
        assert client.ending_of(headers.stream_id)["grpc-status"] == "0"
    assert held.none_arrived
    for request, call in waiting:
        call.answer(request)
    # The core may refuse a call that comes just when it ends another: it did not reach us.
    until(lambda: held.answer_arrived() and all(call.done() for call in calling))
    refused = [error_of(call) for call in calling if call.exception() is not None]
    assert {error.code() for error in refused} <= {Code.UNAVAILABLE}
    assert len(refused) <= 3


def test_metadata_is_counted_together_also_before_the_client_knows_the_bound(
    server: WireServer,
) -> None:
    metadata = tuple((f"x-{n}", "y" * 100) for n in range(50))
    assert refusal(server, metadata=metadata).code() is Code.RESOURCE_EXHAUSTED
    with Http2(server.address) as client:  # It sends before it has read the server's settings.
        headers = client.headers(ECHO, [(f"x-{n}", "y" * 80) for n in range(45)])
        client.send(headers, data(headers.stream_id, b"a"))
        assert client.ending_of(headers.stream_id)["grpc-status"] == "8"
    assert server.call(ECHO)(b"a", metadata=metadata[:10], timeout=SOON) == b"a"


def test_a_message_that_is_too_large_is_refused(server: WireServer) -> None:
    assert refusal(server, b"x" * 10_001).code() is Code.RESOURCE_EXHAUSTED
    assert server.call(ECHO)(b"x" * 9_000, timeout=SOON) == b"x" * 9_000


def test_answers_that_are_not_read_are_bounded_in_bytes_and_time(server: WireServer) -> None:
    with Http2(server.address, {4: 10}) as deaf:
        for _ in range(10):
            deaf.send(*deaf.call(LARGE, b""))
        assert server.call(LARGE)(b"", timeout=SOON) == b"x" * 100_000
        endings = Counter(deaf.ending_of(n)["grpc-status"] for n in range(1, 20, 2))
        refused, given_up = str(Code.RESOURCE_EXHAUSTED.value[0]), str(Code.CANCELLED.value[0])
        assert endings == {refused: 7, given_up: 3}

        def is_served_again() -> bool:
            call, *message = deaf.call(LARGE, b"")
            deaf.send(call, *message, window(call.stream_id, 200_000), window(0, 200_000))
            return deaf.ending_of(call.stream_id)["grpc-status"] == "0"

        until(is_served_again)


MANY = 600  # calls: more than a body of the wire has threads


@pytest.fixture
def patient(serving: Serving) -> Iterator[WireServer]:
    """A server that waits for its clients longer than a test does."""
    with serving({ECHO: echo}, patience=2 * SOON) as server:
        yield server


def test_calls_without_a_message_do_not_hold_up_others(patient: WireServer) -> None:
    with Http2(patient.address) as silent:
        silent.send(*(silent.headers(ECHO) for _ in range(MANY)))
        assert silent.is_answered()  # So the calls have arrived.
        assert patient.call(ECHO)(b"x", timeout=SOON) == b"x"


def test_answers_that_are_not_read_do_not_hold_up_others(patient: WireServer) -> None:
    with Http2(patient.address, {4: 0}) as deaf:
        deaf.send(*(frame for _ in range(MANY) for frame in deaf.call(ECHO, b"x" * 100)))
        assert deaf.is_answered()
        assert patient.call(ECHO)(b"x", timeout=SOON) == b"x"


def test_a_client_may_ask_now_and_then_whether_its_idle_connection_lives(
    server: WireServer,
) -> None:
    with Http2(server.address) as client:
        for _ in range(8):
            client.send(ping())
            sleep(0.12)  # Time itself is what is tested: the client keeps to the bound.
        assert client.is_answered()
    assert Limits().ping_every <= 10


def test_the_bounds_are_settings_with_the_same_defaults() -> None:
    assert wire_limits(Settings()) == Limits()
    assert wire_limits(Settings(patience=3.0)).patience == 3.0
