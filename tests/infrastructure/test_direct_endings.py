"""How direct calls end that are not simply answered: callers leave, and servers stop."""

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from threading import Event
from threading import enumerate as threads_alive

import grpc
import pytest

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
from tests.support.waiting import until


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
