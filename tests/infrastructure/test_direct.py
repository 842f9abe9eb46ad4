"""Methods below the library's handlers, called by a real client on a real server."""

import gc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from random import Random
from threading import Event, Thread, current_thread
from threading import enumerate as threads_alive
from time import monotonic
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from infrastructure.rpc.direct import Call
from tests.faults.waiting import until
from tests.infrastructure.direct_server import (
    ECHO,
    HOLD,
    SOON,
    Busy,
    Direct,
    Waiting,
    echo,
    serving,
)

YEAR = 365 * 24 * 3600.0  # seconds
RAISE = "/tests.Service/Raise"


@pytest.fixture
def held() -> Waiting:
    """The method whose calls wait."""
    return Waiting()


@pytest.fixture
def direct(held: Waiting) -> Iterator[Direct]:
    """A server with a method that answers at once, and one whose calls wait."""
    with serving({ECHO: echo, HOLD: held}) as direct:
        yield direct


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """Other threads than that which takes calls."""
    with ThreadPoolExecutor(4) as threads:
        yield threads


def error_of(call: "grpc.Future[bytes]") -> Any:
    """How a call failed: with a code, a text and trailing metadata, which its type hides."""
    error = call.exception(SOON)
    assert isinstance(error, grpc.RpcError)
    return error


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


def cancel(calling: "grpc.Future[bytes]") -> None:
    """A caller goes away."""
    calling.cancel()


def lose_patience(calling: "grpc.Future[bytes]") -> None:
    """A caller's deadline passes."""
    refused = error_of(calling)
    assert refused.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    ("timeout", "leave"), [(SOON, cancel), (1.0, lose_patience)], ids=["cancels", "deadline"]
)
def test_that_a_caller_left_is_told_and_an_answer_after_it_harms_nothing(
    direct: Direct,
    held: Waiting,
    timeout: float,
    leave: "Callable[[grpc.Future[bytes]], None]",
) -> None:
    leaver = direct.call(HOLD).future(b"leaver", timeout=timeout)
    (_, left), stayer = held.next(), direct.call(HOLD).future(b"stayer", timeout=SOON)
    _, stays = held.next()
    leave(leaver)
    assert held.next_that_left() == b"leaver"
    left.answer(b"too late", (("x-workflow-version", "7"),))
    stays.answer(b"in time")
    assert stayer.result(SOON) == b"in time"
    assert direct.call(ECHO)(b"later", timeout=SOON) == b"later"
    assert held.all_stayed


def test_a_caller_that_left_may_be_answered_where_its_leaving_is_told() -> None:
    waits, left = Event(), Event()

    def method(_: bytes, call: Call) -> None:
        def leave() -> None:
            call.refuse(grpc.StatusCode.CANCELLED, "left")
            left.set()

        call.when_cancelled(leave)
        waits.set()

    with serving({ECHO: echo, HOLD: method}) as direct:
        calling = direct.call(HOLD).future(b"", timeout=SOON)
        assert waits.wait(SOON)
        calling.cancel()
        assert left.wait(SOON)
        assert direct.call(ECHO)(b"later", timeout=SOON) == b"later"


def test_a_caller_that_was_answered_has_not_left(held: Waiting) -> None:
    with serving({HOLD: held}) as direct:
        calling = direct.call(HOLD).future(b"", timeout=SOON)
        _, call = held.next()
        call.answer(b"done")
        assert calling.result(SOON) == b"done"
        calling.cancel()
    assert held.all_stayed


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


def test_stopping_ends_the_calls_that_wait_and_closing_ends_the_thread(held: Waiting) -> None:
    direct = Direct({HOLD: held, ECHO: echo})
    with direct.channel:
        calling = [direct.call(HOLD).future(b"%d" % n, timeout=SOON) for n in range(20)]
        waiting = [held.next() for _ in calling]
        direct.stop(within=0)
        refused = [error_of(call) for call in calling]
        assert {error.code() for error in refused} <= {
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.CANCELLED,
        }
        direct.close()
    assert {held.next_that_left() for _ in waiting} == {request for request, _ in waiting}
    assert held.threads.isdisjoint(threads_alive())


def answer_too_late() -> None:
    """A server stops while many wait, and they are answered all the same before it is closed."""
    held = Waiting()
    direct = Direct({HOLD: held})
    with direct.channel:
        calling = [direct.call(HOLD).future(b"", timeout=SOON) for _ in range(100)]
        waiting = [call for _, call in (held.next() for _ in calling)]
        direct.stop(within=0)
        for call in waiting:
            call.answer(b"too late")
        direct.close()


def test_answers_to_calls_that_the_stop_ended_harm_nothing() -> None:
    # In a process of its own: what may be harmed is the process.
    process = get_context("spawn").Process(target=answer_too_late)
    process.start()
    process.join(SOON)
    assert process.exitcode == 0


def test_stopping_lets_calls_end_that_are_answered_in_time(held: Waiting) -> None:
    direct = Direct({HOLD: held})
    with direct.channel, ThreadPoolExecutor(1) as elsewhere:
        calling = direct.call(HOLD).future(b"", timeout=SOON)
        _, call = held.next()
        stopping = elsewhere.submit(direct.stop, SOON)
        assert not stopping.done()
        call.answer(b"in time")
        assert calling.result(SOON) == b"in time"
        stopping.result(SOON)
        direct.close()


def test_a_server_that_was_never_called_ends(held: Waiting) -> None:
    direct = Direct({HOLD: held})
    direct.channel.close()
    direct.stop()
    direct.close()


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


def test_what_is_told_of_a_leaver_may_raise_and_does_not_end_the_thread() -> None:
    waits, told = Event(), Event()

    def method(_: bytes, call: Call) -> None:
        def leave() -> None:
            told.set()
            raise LookupError("by the test")

        call.when_cancelled(leave)
        waits.set()

    with serving({ECHO: echo, HOLD: method}) as direct:
        calling = direct.call(HOLD).future(b"", timeout=SOON)
        assert waits.wait(SOON)
        calling.cancel()
        assert told.wait(SOON)
        assert direct.call(ECHO)(b"later", timeout=SOON) == b"later"


def test_nothing_is_kept_of_a_call_that_has_ended(direct: Direct, held: Waiting) -> None:
    def kept() -> int:
        return sum(isinstance(thing, Call) for thing in gc.get_objects())

    gc.collect()  # What tests before this one left.
    gc.disable()  # The service collects garbage seldom: nothing may wait for it.
    try:
        answered, left = [direct.call(HOLD).future(b"", timeout=SOON) for _ in range(2)]
        calls = [held.next()[1] for _ in range(2)]
        assert kept() == 2
        left.cancel()
        held.next_that_left()
        for call in calls:
            call.answer(b"done")
        assert answered.result(SOON) == b"done"
        del call, calls
        until(lambda: not kept())
    finally:
        gc.enable()


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


def test_a_caller_that_left_before_its_method_was_called_is_told_of(held: Waiting) -> None:
    busy = Busy()
    with serving({ECHO: busy, HOLD: held}) as direct:
        occupying = direct.call(ECHO).future(b"", timeout=SOON)
        busy.wait()
        lose_patience(direct.call(HOLD).future(b"message", timeout=0.5))
        busy.free.set()
        occupying.result(SOON)
        request, _ = held.next()
        assert held.next_that_left() == request


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
