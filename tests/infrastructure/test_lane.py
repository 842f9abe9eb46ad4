"""Callers wait while one thread works for all of them; a double of the work is held by us."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import current_thread
from time import monotonic

import pytest

from infrastructure.lanes.batcher import Limits, State
from infrastructure.lanes.lane import Lane
from infrastructure.lanes.refusals import (
    CallerLeft,
    DeadlinePassed,
    Draining,
    Overloaded,
    ShareExceeded,
    WorkFailed,
)
from infrastructure.telemetry.observer import InertObserver
from tests.support.callers import SOON, Caller, Callers, Hold
from tests.support.waiting import until

LIMITS = Limits(queue=40, share=40, share_bytes=1100, batch=16, batch_bytes=1000, linger=0.001)
NAME = "worker"


class Work:
    """Answers when it is let, with the name of each submission in capitals."""

    def __init__(self) -> None:
        self.batches: list[Sequence[str]] = []
        self.threads: set[str] = set()
        self.faults: list[Exception] = []
        self.hold = Hold()

    def __call__(self, batch: Sequence[str]) -> list[str | Exception]:
        """Does a batch."""
        self.batches.append(list(batch))
        self.threads.add(current_thread().name)
        self.hold.passed()
        if self.faults:
            raise self.faults.pop()
        return [outcome(name) for name in batch]

    @property
    def done(self) -> list[str]:
        """All that was worked for, in order."""
        return [name for batch in self.batches for name in batch]


def outcome(name: str) -> str | Exception:
    """How the double answers a submission."""
    return Refused(name) if "refuse" in name else name.upper()


class Refused(Exception):
    """A refusal that equals another of the same submission."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Refused) and self.args == other.args

    __hash__ = Exception.__hash__


@pytest.fixture
def work() -> Work:
    """Work that is done at once."""
    return Work()


@pytest.fixture
def callers(work: Work) -> Iterator[Callers[str, str]]:
    """Those who ask for work; in the end all of them were answered once."""
    callers = Callers(Lane(NAME, work, LIMITS))
    yield callers
    work.hold.open()
    callers.drain()


def held(callers: Callers[str, str], work: Work) -> Caller[str, str]:
    """A caller that is being served until the work is set free."""
    work.hold.close()
    caller = callers.ask("held")
    work.hold.wait_for_work()
    return caller


def test_an_outcome_reaches_its_caller(callers: Callers[str, str]) -> None:
    assert callers.ask("a").outcome() == "A"


def test_every_caller_gets_its_own_outcome(callers: Callers[str, str], work: Work) -> None:
    names = [f"refuse {n}" if n % 3 == 0 else f"take {n}" for n in range(30)]
    asked = callers.ask_each(*names)
    assert [caller.outcome() for caller in asked] == [outcome(name) for name in names]
    assert work.threads == {NAME}


def test_those_who_come_together_are_served_together(
    callers: Callers[str, str], work: Work
) -> None:
    first = held(callers, work)
    others = callers.ask_each(*(f"{n}" for n in range(20)))
    assert callers.lane.unanswered == 21
    work.hold.open()
    assert [c.outcome() for c in (first, *others)] == ["HELD", *map(str, range(20))]
    assert work.batches == [
        ["held"],
        [f"{n}" for n in range(LIMITS.batch)],
        [f"{n}" for n in range(LIMITS.batch, 20)],
    ]
    until(lambda: callers.lane.unanswered == 0)


def test_no_more_bytes_than_the_limit_are_served_together(
    callers: Callers[str, str], work: Work
) -> None:
    held(callers, work)
    for name, size in (("a", 600), ("b", 400), ("c", 1)):
        last = callers.ask(name, size)
    work.hold.open()
    assert last.outcome() == "C"
    assert work.batches == [["held"], ["a", "b"], ["c"]]


def test_a_thousand_in_turn_are_all_answered_once(callers: Callers[str, str], work: Work) -> None:
    count = LIMITS.queue // 2

    def caller(number: int) -> list[str | Exception]:
        return [callers.ask(f"{number}/{turn}").outcome() for turn in range(50)]

    first = held(callers, work)
    with ThreadPoolExecutor(count) as threads:
        outcomes = threads.map(caller, range(count), timeout=60)
        until(lambda: callers.lane.unanswered == count + 1)
        work.hold.open()
        assert list(outcomes) == [
            [outcome(f"{n}/{turn}") for turn in range(50)] for n in range(count)
        ]
    assert first.outcome() == "HELD"
    assert len(work.done) == len(set(work.done)) == 50 * count + 1
    assert len(work.batches) < len(work.done)


def test_a_caller_that_cancels_while_it_waits_is_refused_at_once_and_harms_nobody(
    callers: Callers[str, str], work: Work
) -> None:
    first = held(callers, work)
    before, leaver, after = callers.ask_each("before", "leaver", "after")
    leaver.leave()
    assert [type(answer) for answer in leaver.answers] == [CallerLeft]
    work.hold.open()
    assert [c.outcome() for c in (first, before, after)] == ["HELD", "BEFORE", "AFTER"]
    assert work.batches == [["held"], ["before", "after"]]


def test_of_two_who_ask_for_the_same_only_the_one_that_cancels_is_refused(
    callers: Callers[str, str], work: Work
) -> None:
    held(callers, work)
    staying, leaving = callers.ask_each("same", "same")
    leaving.leave()
    assert isinstance(leaving.outcome(), CallerLeft)
    work.hold.open()
    assert staying.outcome() == "SAME"


def test_a_caller_that_leaves_while_it_is_served_does_not_stop_the_work(
    callers: Callers[str, str], work: Work
) -> None:
    leaver = held(callers, work)
    other = callers.ask("other")
    leaver.leave()
    assert leaver.answers == []
    assert work.batches == [["held"]]
    work.hold.open()
    assert [leaver.outcome(), other.outcome()] == ["HELD", "OTHER"]
    assert work.batches == [["held"], ["other"]]


def test_a_caller_that_leaves_after_its_answer_is_not_answered_again(
    callers: Callers[str, str],
) -> None:
    caller = callers.ask("a")
    assert caller.outcome() == "A"
    caller.leave()
    assert callers.ask("b").outcome() == "B"
    assert caller.answers == ["A"]


def test_a_caller_that_cancels_is_served_or_refused_but_never_both(
    callers: Callers[str, str], work: Work
) -> None:
    def asks_and_leaves(number: int) -> dict[str, str | Exception]:
        random = Random(number)
        told = {}
        for turn in range(50):
            name = f"{number}/{turn}"
            caller = callers.ask(name)
            if random.random() < 0.5:
                caller.leave()
            told[name] = caller.outcome()
        return told

    with ThreadPoolExecutor(8) as threads:
        told = [*threads.map(asks_and_leaves, range(8), timeout=60)]
    everyone = {name: answer for part in told for name, answer in part.items()}
    left = {name for name, answer in everyone.items() if isinstance(answer, CallerLeft)}
    assert sorted(work.done) == sorted(everyone.keys() - left)
    assert all(everyone[name] == outcome(name) for name in work.done)


def test_a_fault_of_the_work_answers_its_whole_batch_and_the_thread_lives_on(
    callers: Callers[str, str], work: Work
) -> None:
    fault = MemoryError("no room")
    first = held(callers, work)
    others = callers.ask_each("a", "b")
    work.faults = [fault, fault]
    work.hold.open()
    assert [caller.outcome() for caller in (first, *others)] == [fault] * 3
    assert callers.ask("c").outcome() == "C"


def test_a_deadline_in_the_past_is_answered_at_once_and_nothing_is_done(
    callers: Callers[str, str], work: Work
) -> None:
    past = monotonic() - 1
    late = callers.ask("late", deadline=past)
    assert [type(answer) for answer in late.answers] == [DeadlinePassed]
    assert work.batches == []
    assert callers.ask("a", deadline=past + 100).outcome() == "A"


def test_if_a_deadline_passes_in_the_queue_nothing_is_done(
    callers: Callers[str, str], work: Work
) -> None:
    first = held(callers, work)
    deadline = monotonic() + 0.001
    late = callers.ask("late", deadline=deadline)
    until(lambda: monotonic() > deadline)
    work.hold.open()
    assert isinstance(late.outcome(), DeadlinePassed)
    assert first.outcome() == "HELD"
    assert work.batches == [["held"]]


def test_too_many_callers_are_refused_at_once(callers: Callers[str, str], work: Work) -> None:
    first = held(callers, work)
    others = callers.ask_each(*(f"{n}" for n in range(LIMITS.queue)))
    one_more = callers.ask("too many")
    assert [type(answer) for answer in one_more.answers] == [Overloaded]
    work.hold.open()
    assert [c.outcome() for c in (first, *others)] == ["HELD", *map(str, range(LIMITS.queue))]
    assert len(work.done) == LIMITS.queue + 1


def test_a_flood_of_one_caller_is_refused_beyond_its_share_and_no_neighbour_waits_for_it(
    callers: Callers[str, str], work: Work
) -> None:
    held(callers, work)
    flood = [callers.ask(f"{n}", size=300, name="flood") for n in range(4)]
    neighbour = callers.ask("small", name="neighbour")
    assert [type(answer) for answer in flood[3].answers] == [ShareExceeded]
    work.hold.open()
    assert neighbour.outcome() == "SMALL"
    assert "small" in work.batches[1]


def test_work_that_answers_too_few_is_a_fault_and_the_thread_lives_on() -> None:
    hold = Hold()

    def work(batch: Sequence[str]) -> list[str]:
        hold.passed()
        return [outcome.upper() for outcome in batch[:1]]

    callers = Callers(Lane(NAME, work, LIMITS))
    hold.close()
    first = callers.ask("a")
    others = callers.ask_each("b", "c")
    hold.open()
    assert [first.outcome(), others[0].outcome()] == ["A", "B"]
    assert isinstance(others[1].outcome(), WorkFailed)
    assert callers.ask("d").outcome() == "D"
    callers.drain()


class Panic(BaseException):
    """What a native library raises if it breaks."""


def test_a_panic_answers_those_who_have_no_outcome_yet_and_the_thread_lives_on() -> None:
    def work(batch: Sequence[str]) -> Iterator[str]:
        for name in batch:
            hold.passed()
            if name == "panic":
                raise Panic
            yield name.upper()

    hold = Hold()
    callers = Callers(Lane(NAME, work, LIMITS))
    hold.close()
    first = callers.ask("a")
    served, panicking, behind = callers.ask_each("b", "panic", "c")
    hold.open()
    assert [first.outcome(), served.outcome()] == ["A", "B"]
    for caller in (panicking, behind):
        failed = caller.outcome()
        assert isinstance(failed, WorkFailed)
        assert isinstance(failed.__cause__, Panic)
    assert callers.ask("d").outcome() == "D"
    assert callers.lane.alive
    callers.drain()
    assert not callers.lane.alive


def test_an_outcome_is_passed_on_before_the_work_on_the_batch_is_over() -> None:
    holds = {"first": Hold(), "last": Hold()}

    def work(batch: Sequence[str]) -> Iterator[str]:
        for name in batch:
            if name in holds:
                holds[name].passed()
            yield name.upper()

    callers = Callers(Lane(NAME, work, LIMITS))
    for hold in holds.values():
        hold.close()
    callers.ask("first")
    early, late = callers.ask_each("early", "last")
    holds["first"].open()
    assert early.outcome() == "EARLY"
    assert not late.answers
    holds["last"].open()
    callers.drain()


def test_an_observer_learns_of_every_batch(work: Work) -> None:
    observed: list[tuple[str, str, int]] = []

    class Listener(InertObserver):
        def batch_taken(self, lane: str, waiting: int, taken: int, waited: float) -> None:
            assert waited >= 0
            observed.append(("taken", lane, taken))

        def batch_finished(self, lane: str, taken: int, seconds: float) -> None:
            assert seconds >= 0
            observed.append(("finished", lane, taken))

    callers = Callers(Lane(NAME, work, LIMITS, Listener()))
    assert callers.ask("a").outcome() == "A"
    callers.drain()
    assert observed == [("taken", NAME, 1), ("finished", NAME, 1)]


def test_draining_finishes_what_was_accepted_and_ends_the_thread(
    callers: Callers[str, str], work: Work
) -> None:
    first = held(callers, work)
    accepted = callers.ask_each("a", "b")
    draining = callers.start_to_drain()
    until(lambda: callers.lane._batcher.state is State.DRAINING)
    late = callers.ask("c")
    assert [type(answer) for answer in late.answers] == [Draining]
    assert draining.is_alive()
    work.hold.open()
    draining.join(SOON)
    assert [c.answers for c in (first, *accepted)] == [["HELD"], ["A"], ["B"]]
    assert not callers.lane._thread.is_alive()
    assert isinstance(callers.ask("d").outcome(), Draining)


def test_draining_tells_a_caller_that_leaves_meanwhile(
    callers: Callers[str, str], work: Work
) -> None:
    held(callers, work)
    leaver = callers.ask("leaver")
    draining = callers.start_to_drain()
    until(lambda: callers.lane._batcher.state is State.DRAINING)
    leaver.leave()
    assert [type(answer) for answer in leaver.answers] == [CallerLeft]
    work.hold.open()
    draining.join(SOON)
    assert not draining.is_alive()
    assert work.batches == [["held"]]
