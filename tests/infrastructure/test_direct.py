"""Methods below the library's handlers, called by a real client on a real server."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Thread, current_thread
from threading import enumerate as threads_alive
from time import monotonic
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from infrastructure.wire.direct import Call
from tests.support.direct_server import (
    ECHO,
    HOLD,
    SOON,
    Busy,
    Direct,
    Waiting,
    echo,
    error_of,
    serving,
)

YEAR = 365 * 24 * 3600.0  # seconds
RAISE = "/tests.Service/Raise"


@pytest.mark.parametrize("message", [b"hello", b"", b"x" * 1_000_000], ids=["short", "empty", "1M"])
def test_a_message_is_answered_at_once(direct: Direct, message: bytes) -> None:
    assert direct.call(ECHO)(message, timeout=SOON) == message


@pytest.mark.parametrize("message", [b"hello", b"", b"x" * 1_000_000], ids=["short", "empty", "1M"])
def test_a_message_is_answered_later_from_another_thread(
    direct: Direct, held: Waiting, message: bytes
) -> None:
    calling = direct.call(HOLD).future(b"", timeout=SOON)
    _, call = held.next()
    assert not calling.done()
    call.answer(message)
    assert calling.result(SOON) == message


def test_many_that_wait_are_answered_from_many_threads_each_with_its_own(
    direct: Direct, held: Waiting, elsewhere: ThreadPoolExecutor
) -> None:
    numbers = [b"%d" % n for n in range(300)]
    calling = [direct.call(HOLD).future(number, timeout=SOON) for number in numbers]
    waiting = [held.next() for _ in numbers]
    Random(1).shuffle(waiting)
    list(elsewhere.map(lambda one: one[1].answer(b"re: " + one[0]), waiting))
    assert [call.result(SOON) for call in calling] == [b"re: " + number for number in numbers]


def test_calls_go_on_while_others_are_answered_from_other_threads(
    direct: Direct, held: Waiting, elsewhere: ThreadPoolExecutor
) -> None:
    def answer_one(_: int) -> None:
        request, call = held.next()
        call.answer(request)

    def ask(number: int) -> Sequence[bytes]:
        name = ECHO if number % 2 else HOLD
        return [direct.call(name)(b"%d/%d" % (number, turn), timeout=SOON) for turn in range(50)]

    with ThreadPoolExecutor(8) as clients:
        asking = clients.map(ask, range(8), timeout=SOON)
        answering = elsewhere.map(answer_one, range(4 * 50), timeout=SOON)
        assert list(asking) == [[b"%d/%d" % (n, turn) for turn in range(50)] for n in range(8)]
        list(answering)


def test_methods_are_called_on_one_thread_of_their_own() -> None:
    before = threads_alive()
    callers: set[Thread] = set()

    def method(request: bytes, call: Call) -> None:
        callers.add(current_thread())
        call.answer(request)

    names = [f"/tests.Service/{name}" for name in ("A", "B")]
    with serving(dict.fromkeys(names, method)) as direct:
        calling = [direct.call(name).future(b"", timeout=SOON) for name in names * 10]
        assert [call.result(SOON) for call in calling] == [b""] * 20
    (thread,) = callers
    assert thread not in before


def test_a_method_sees_what_the_client_sent_beside_the_message(
    direct: Direct, held: Waiting
) -> None:
    sent = (("x-request-id", "r-1"), ("some-bin", b"\x00\xff"))
    calling = direct.call(HOLD).future(b"", timeout=SOON, metadata=sent)
    _, call = held.next()
    call.answer(b"")
    calling.result(SOON)
    assert set(sent) <= {(key, value) for key, value in call.metadata}


@pytest.mark.parametrize("later", [False, True], ids=["at once", "from another thread"])
def test_an_answer_carries_trailing_metadata(later: bool) -> None:
    trailing = (("x-workflow-version", "7"), ("some-bin", b"\x00\xff"))
    with ThreadPoolExecutor(1) as elsewhere:

        def method(_: bytes, call: Call) -> None:
            if later:
                elsewhere.submit(call.answer, b"done", trailing)
            else:
                call.answer(b"done", trailing)

        with serving({ECHO: method}) as direct:
            message, call = direct.call(ECHO).with_call(b"", timeout=SOON)
    assert (message, call.code(), call.details()) == (b"done", grpc.StatusCode.OK, "")
    assert tuple(map(tuple, call.trailing_metadata())) == trailing


@pytest.mark.parametrize("later", [False, True], ids=["at once", "from another thread"])
@pytest.mark.parametrize("code", [c for c in grpc.StatusCode if c is not grpc.StatusCode.OK])
def test_a_refusal_carries_code_text_and_details(code: grpc.StatusCode, later: bool) -> None:
    text, details = "Größe: 3 → 4", (("grpc-status-details-bin", b"\x08\x03"),)
    with ThreadPoolExecutor(1) as elsewhere:

        def method(_: bytes, call: Call) -> None:
            if later:
                elsewhere.submit(call.refuse, code, text, details)
            else:
                call.refuse(code, text, details)

        with serving({ECHO: method}) as direct:
            refused = error_of(direct.call(ECHO).future(b"", timeout=SOON))
    assert (refused.code(), refused.details()) == (code, text)
    assert tuple(map(tuple, refused.trailing_metadata())) == details


def test_a_client_that_ends_its_side_without_a_message_is_heard_as_an_empty_one(
    direct: Direct, held: Waiting
) -> None:
    streaming: grpc.StreamUnaryMultiCallable[bytes, bytes] = direct.channel.stream_unary(HOLD)
    calling = streaming.future(iter(()), timeout=SOON)
    request, call = held.next()
    call.answer(b"heard")
    assert (request, calling.result(SOON)) == (b"", b"heard")


def test_a_call_knows_its_deadline_by_the_monotonic_clock(direct: Direct, held: Waiting) -> None:
    before = monotonic()
    calling = direct.call(HOLD).future(b"", timeout=SOON)
    _, call = held.next()
    call.answer(b"")
    calling.result(SOON)
    rounding = 0.1  # seconds: the wire rounds a time-out up
    assert before < call.deadline <= monotonic() + SOON + rounding


def test_a_call_without_a_deadline_has_one_far_off(direct: Direct, held: Waiting) -> None:
    calling = direct.call(HOLD).future(b"")
    _, call = held.next()
    call.answer(b"")
    calling.result(SOON)
    assert call.deadline > monotonic() + 10 * YEAR


def test_a_method_that_raises_does_not_end_the_thread() -> None:
    calls: list[Call] = []

    def method(_: bytes, call: Call) -> None:
        calls.append(call)
        raise LookupError("by the test")

    with serving({ECHO: echo, RAISE: method}) as direct:
        broken = [direct.call(RAISE).future(b"", timeout=SOON) for _ in range(3)]
        assert direct.call(ECHO)(b"a", timeout=SOON) == b"a"
        assert direct.call(ECHO)(b"b", timeout=SOON) == b"b"
        for call in broken:
            call.cancel()
        assert direct.call(ECHO)(b"c", timeout=SOON) == b"c"


def test_a_service_of_the_librarys_works_beside_them(held: Waiting) -> None:
    def add_health(server: grpc.Server) -> None:
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)

    with serving({HOLD: held, ECHO: echo}, add_health) as direct:
        waiting = direct.call(HOLD).future(b"", timeout=SOON)
        _, call = held.next()
        stub = health_pb2_grpc.HealthStub(direct.channel)
        said = stub.Check(health_pb2.HealthCheckRequest(), timeout=SOON)
        assert said.status == health_pb2.HealthCheckResponse.SERVING
        assert direct.call(ECHO)(b"a", timeout=SOON) == b"a"
        call.answer(b"b")
        assert waiting.result(SOON) == b"b"


def test_an_answer_that_cannot_be_sent_holds_up_no_other(held: Waiting) -> None:
    no_metadata: Any = (("x-workflow-version", 7),)
    numbers = [b"%d" % n for n in range(3)]
    busy = Busy()
    with serving({ECHO: busy, HOLD: held}) as direct:
        bad, *good = [direct.call(HOLD).future(number, timeout=SOON) for number in numbers]
        waiting = dict(held.next() for _ in numbers)
        occupying = direct.call(ECHO).future(b"", timeout=SOON)
        busy.wait()
        waiting[b"0"].answer(b"", no_metadata)
        for number in numbers[1:]:
            waiting[number].answer(number)
        busy.free.set()
        occupying.result(SOON)
        assert [call.result(5) for call in good] == numbers[1:]
        bad.cancel()


def test_a_method_that_nobody_offers_is_unimplemented(direct: Direct) -> None:
    refused = error_of(direct.call("/tests.Service/Other").future(b"", timeout=SOON))
    assert refused.code() is grpc.StatusCode.UNIMPLEMENTED
