"""The group commit's state machine under thousands of random schedules, and under sabotage."""

from collections.abc import Iterable

import pytest

from infrastructure.lanes.batcher import Batcher, Drained, Effect, LookAgain, Refuse, Take
from infrastructure.lanes.refusals import CallerLeft
from tests.faults.schedules import BrokenPromise, Numbered, Schedule

Effects = list[Effect[Numbered]]

SCHEDULES = 6000
IN_ONE_TEST = 500
ENOUGH_TO_CATCH = 500


def run(machine: type[Batcher[Numbered]], seeds: Iterable[int]) -> None:
    """One schedule a seed; the first that breaks a promise is named."""
    for seed in seeds:
        try:
            Schedule(seed, machine).run()
        except BrokenPromise as broken:
            broken.add_note(f"Schedule({seed}, {machine.__name__}).run()")
            raise


@pytest.mark.parametrize("first", range(0, SCHEDULES, IN_ONE_TEST))
def test_every_promise_holds_in_every_schedule(first: int) -> None:
    run(Batcher, range(first, first + IN_ONE_TEST))


def test_a_schedule_is_the_same_whenever_it_runs() -> None:
    assert Schedule(7).run() == Schedule(7).run()


def test_the_schedules_reach_every_outcome() -> None:
    answers = {how for seed in range(200) for how in Schedule(seed).run().answers.values()}
    refusals = {"CallerLeft", "DeadlinePassed", "Overloaded", "Draining"}
    assert answers == refusals | {"recorded", "conflicts", "refused", "lost", "poisoned"}


class ForgetsDeadlines(Batcher[Numbered]):
    def _next(self, now: float) -> Effects:
        return super()._next(-1.0 if not self._lingers(now) else now)


class TakesTwice(Batcher[Numbered]):
    def submitted(self, waiter: Numbered, now: float) -> Effects:
        effects = super().submitted(waiter, now)
        if waiter.submission == 3 and waiter in self._queue:
            self._queue.append(waiter)
        return effects


class LosesOnCancel(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        effects = super().cancelled(waiter)
        if self._queue:
            self._queue.pop()
        return effects


class KeepsTheCancelled(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        return []


class TellsTheCancelledButKeepsThem(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        return [Refuse(waiter, CallerLeft())] if waiter in self._queue else []


class TellsTheCancelledNothing(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        super().cancelled(waiter)
        return []


class TellsTheCancelledTwice(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        return super().cancelled(waiter) * 2


class TellsTheWrongOneThatItLeft(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        first = self._queue[0] if self._queue else waiter
        return super().cancelled(first)


class CallsBackWhatItTook(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        return super().cancelled(waiter) or [Refuse(waiter, CallerLeft())]


class TakesTheLastFirst(Batcher[Numbered]):
    def submitted(self, waiter: Numbered, now: float) -> Effects:
        effects = super().submitted(waiter, now)
        self._queue.rotate(1)
        return effects


class WritesTwoAtATime(Batcher[Numbered]):
    def submitted(self, waiter: Numbered, now: float) -> Effects:
        self._writing = False
        return super().submitted(waiter, now)


class KnowsNoBoundOfTheQueue(Batcher[Numbered]):
    def submitted(self, waiter: Numbered, now: float) -> Effects:
        if self._draining:
            return super().submitted(waiter, now)
        self._queue.append(waiter)
        return self._next(now)


class AcceptsWhileDraining(Batcher[Numbered]):
    def submitted(self, waiter: Numbered, now: float) -> Effects:
        draining, self._draining = self._draining, False
        effects = super().submitted(waiter, now)
        self._draining = draining
        return effects


class ForgetsToLookAgain(Batcher[Numbered]):
    def _next(self, now: float) -> Effects:
        return [e for e in super()._next(now) if not isinstance(e, LookAgain)]


class NeverDrained(Batcher[Numbered]):
    def _next(self, now: float) -> Effects:
        return [e for e in super()._next(now) if not isinstance(e, Drained)]


class DrainedTooEarly(Batcher[Numbered]):
    def drain(self, now: float) -> Effects:
        return [*super().drain(now), Drained()]


class TakesTooMany(Batcher[Numbered]):
    def _next(self, now: float) -> Effects:
        effects = super()._next(now)
        for index, effect in enumerate(effects):
            if isinstance(effect, Take) and self._queue:
                effects[index] = Take([*effect.waiters, self._queue.popleft()])
        return effects


class StopsAfterABatch(Batcher[Numbered]):
    def finished(self, count: int, now: float) -> Effects:
        self._writing = False
        return super().drain(now) if self._draining else []


@pytest.mark.parametrize("broken", [
    AcceptsWhileDraining, CallsBackWhatItTook, DrainedTooEarly, ForgetsDeadlines,
    ForgetsToLookAgain, KeepsTheCancelled, KnowsNoBoundOfTheQueue, LosesOnCancel, NeverDrained,
    StopsAfterABatch, TakesTheLastFirst, TakesTooMany, TakesTwice, TellsTheCancelledButKeepsThem,
    TellsTheCancelledNothing, TellsTheCancelledTwice, TellsTheWrongOneThatItLeft, WritesTwoAtATime,
])  # fmt: skip
def test_a_broken_machine_is_caught(broken: type[Batcher[Numbered]]) -> None:
    with pytest.raises(BrokenPromise):
        run(broken, range(ENOUGH_TO_CATCH))
