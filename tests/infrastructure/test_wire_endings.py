"""How calls end that are not simply answered: clients cancel, and servers stop."""

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from threading import Event
from threading import enumerate as threads_alive

import grpc
import pytest

from infrastructure.wire import direct
from infrastructure.wire.calls import Call, Stream
from infrastructure.wire.direct_calls import DirectCall
from tests.support.waiting import until
from tests.support.wire_server import (
    ECHO,
    HOLD,
    SOON,
    Busy,
    Serving,
    Waiting,
    WireServer,
    echo,
    error_of,
)


def cancel(calling: "grpc.Future[bytes]") -> None:
    """A client cancels."""
    calling.cancel()


def lose_patience(calling: "grpc.Future[bytes]") -> None:
    """A client's deadline passes."""
    refused = error_of(calling)
    assert refused.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    ("timeout", "leave"), [(SOON, cancel), (1.0, lose_patience)], ids=["cancels", "deadline"]
)
def test_a_cancelled_call_is_reported_and_an_answer_after_it_harms_nothing(
    wire: WireServer,
    held: Waiting,
    timeout: float,
    leave: "Callable[[grpc.Future[bytes]], None]",
) -> None:
    leaver = wire.call(HOLD).future(b"leaver", timeout=timeout)
    (_, left), stayer = held.next(), wire.call(HOLD).future(b"stayer", timeout=SOON)
    _, stays = held.next()
    leave(leaver)
    assert held.next_that_left() == b"leaver"
    left.answer(b"too late", (("x-workflow-version", "7"),))
    stays.answer(b"in time")
    assert stayer.result(SOON) == b"in time"
    assert wire.call(ECHO)(b"later", timeout=SOON) == b"later"
    assert held.all_stayed


@pytest.mark.parametrize("fails", [False, True], ids=["refuses", "raises"])
def test_what_runs_when_a_call_is_cancelled_may_refuse_it_or_raise(
    serving: Serving, fails: bool
) -> None:
    waits, left = Event(), Event()

    def method(_: bytes, call: Call) -> None:
        def leave() -> None:
            left.set()
            if fails:
                raise LookupError("by the test")
            call.refuse(grpc.StatusCode.CANCELLED, "left")

        call.when_cancelled(leave)
        waits.set()

    with serving({ECHO: echo, HOLD: method}) as wire:
        calling = wire.call(HOLD).future(b"", timeout=SOON)
        assert waits.wait(SOON)
        calling.cancel()
        assert left.wait(SOON)
        assert wire.call(ECHO)(b"later", timeout=SOON) == b"later"


def test_a_call_that_was_answered_is_not_cancelled(serving: Serving, held: Waiting) -> None:
    with serving({HOLD: held}) as wire:
        calling = wire.call(HOLD).future(b"", timeout=SOON)
        _, call = held.next()
        call.answer(b"done")
        assert calling.result(SOON) == b"done"
        calling.cancel()
    assert held.all_stayed


def test_a_call_that_is_cancelled_before_its_method_is_called_harms_nothing(held: Waiting) -> None:
    busy = Busy()
    # The other body has several threads: no method keeps another waiting.
    with Serving("direct")({ECHO: busy, HOLD: held}) as wire:
        occupying = wire.call(ECHO).future(b"", timeout=SOON)
        busy.wait()
        lose_patience(wire.call(HOLD).future(b"early", timeout=0.5))
        stayer = wire.call(HOLD).future(b"stayer", timeout=SOON)
        busy.free.set()
        occupying.result(SOON)
        request, call = held.next()
        if request == b"early":  # Its method was called after all: then it hears of the end.
            assert held.next_that_left() == b"early"
            request, call = held.next()
        call.answer(b"done")
        assert stayer.result(SOON) == b"done"


def test_stopping_ends_the_calls_that_wait_and_closing_ends_the_threads(
    serving: Serving, held: Waiting
) -> None:
    wire = serving.start({HOLD: held, ECHO: echo})
    with wire.channel:
        calling = [wire.call(HOLD).future(b"%d" % n, timeout=SOON) for n in range(20)]
        waiting = [held.next() for _ in calling]
        wire.stop(within=0)
        refused = [error_of(call) for call in calling]
        assert {error.code() for error in refused} <= {
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.CANCELLED,
        }
        wire.close()
    assert {held.next_that_left() for _ in waiting} == {request for request, _ in waiting}
    assert held.threads.isdisjoint(threads_alive())


def answer_too_late(body: str) -> None:
    """A server stops while many wait, and they are answered all the same before it is closed."""
    held = Waiting()
    wire = Serving(body).start({HOLD: held})
    with wire.channel:
        calling = [wire.call(HOLD).future(b"", timeout=SOON) for _ in range(100)]
        waiting = [call for _, call in (held.next() for _ in calling)]
        wire.stop(within=0)
        for call in waiting:
            call.answer(b"too late")
        wire.close()


def test_answers_to_calls_that_the_stop_ended_harm_nothing(serving: Serving) -> None:
    # In a process of its own: what may be harmed is the process.
    process = get_context("spawn").Process(target=answer_too_late, args=(serving.body,))
    process.start()
    process.join(SOON)
    assert process.exitcode == 0


def test_stopping_lets_calls_end_that_are_answered_in_time(serving: Serving, held: Waiting) -> None:
    wire = serving.start({HOLD: held})
    with wire.channel, ThreadPoolExecutor(1) as elsewhere:
        calling = wire.call(HOLD).future(b"", timeout=SOON)
        _, call = held.next()
        stopping = elsewhere.submit(wire.stop, SOON)
        assert not stopping.done()
        call.answer(b"in time")
        assert calling.result(SOON) == b"in time"
        stopping.result(SOON)
        wire.close()


def test_a_server_that_was_never_called_ends(serving: Serving) -> None:
    wire = serving.start({ECHO: echo})
    wire.channel.close()
    wire.stop()
    wire.close()


def test_nothing_is_kept_of_a_call_that_has_ended(held: Waiting) -> None:
    # On the body that the service is tuned for: the other one keeps what the library keeps.
    def kept() -> int:
        return sum(isinstance(thing, DirectCall) for thing in gc.get_objects())

    def one_word(word: bytes, stream: Stream) -> bool:
        stream.offer(partial(next, iter([word]), None))
        stream.when_cancelled(lambda: stream)  # Never called, but it knows the stream.
        return True

    with Serving("direct")({HOLD: held}, {ECHO: one_word}) as wire:
        gc.collect()  # What tests before this one left.
        before = kept()
        gc.disable()  # The service collects garbage seldom: nothing may wait for it.
        try:
            answered, left = [wire.call(HOLD).future(b"", timeout=SOON) for _ in range(2)]
            calls = [held.next()[1] for _ in range(2)]
            assert kept() == before + 2
            left.cancel()
            held.next_that_left()
            for call in calls:
                call.answer(b"done")
            assert answered.result(SOON) == b"done"
            assert list(wire.stream(ECHO)(iter([b"word"]), timeout=SOON)) == [b"word"]
            del call, calls
            until(lambda: kept() == before)
        finally:
            gc.enable()


def test_a_thread_that_one_call_holds_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor replaces a worker of which nothing moves; only the fast body can stand so."""
    monkeypatch.setattr(direct, "_STUCK_AFTER", 0.5)
    busy = Busy()
    with Serving("direct")({HOLD: busy}) as server:
        assert server.alive
        held = server.call(HOLD).future(b"", timeout=SOON)
        busy.wait()
        until(lambda: not server.alive)
        busy.free.set()
        held.result(SOON)
        until(lambda: server.alive)
