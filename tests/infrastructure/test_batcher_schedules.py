"""The state machine of a lane under thousands of random schedules, and under sabotage."""

from collections.abc import Iterable, Sequence

import pytest

from infrastructure.lanes.batcher import (
    Batcher,
    Drained,
    Effect,
    Limits,
    Refuse,
    State,
    Take,
    WakeAt,
)
from infrastructure.lanes.fairness import FairQueue
from infrastructure.lanes.refusals import CallerLeft, Draining, ShareExceeded
from tests.faults.schedules import BrokenPromise, Numbered, Schedule

Effects = Sequence[Effect[Numbered]]

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
    refusals = {"CallerLeft", "DeadlinePassed", "Overloaded", "ShareExceeded", "Draining"}
    assert answers == refusals | {"recorded", "conflicts", "refused", "lost", "poisoned"}


class ForgetsDeadlines(Batcher[Numbered]):
    def _next(self, now: float) -> Effects:
        return super()._next(-1.0 if not self._lingers(now) else now)


class TakesTwice(Batcher[Numbered]):
    def submitted(self, waiter: Numbered, now: float) -> Effects:
        waiting = self.waiting
        effects = super().submitted(waiter, now)
        if waiter.submission == 3 and self.waiting > waiting:
            self._queue.put(waiter)
        return effects


class LosesOnCancel(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        effects = super().cancelled(waiter)
        self._queue.take(1, 0, 0.0)
        return effects


class KeepsTheCancelled(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        return []


class RefusesTheCancelledButKeepsThem(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        effects = super().cancelled(waiter)
        if effects:
            self._queue.put(waiter)
        return effects


class AnswersTheCancelledNothing(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        super().cancelled(waiter)
        return []


class RefusesTheCancelledTwice(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        return [*super().cancelled(waiter)] * 2


class RefusesTheWrongOne(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        taken, _ = self._queue.take(1, 0, -1.0)
        for first in taken:
            self._queue.put(first)
        return super().cancelled(taken[0] if taken else waiter)


class CallsBackWhatItTook(Batcher[Numbered]):
    def cancelled(self, waiter: Numbered) -> Effects:
        return super().cancelled(waiter) or [Refuse(waiter, CallerLeft())]


class TakesTheLastFirst(Batcher[Numbered]):
    def submitted(self, waiter: Numbered, now: float) -> Effects:
        effects = super().submitted(waiter, now)
        if line := self._queue._lines.get(waiter.caller):
            line.rotate(1)
        return effects


class WorksOnTwoAtATime(Batcher[Numbered]):
    def submitted(self, waiter: Numbered, now: float) -> Effects:
        if self._state is State.BUSY:
            self._state = State.IDLE
        return super().submitted(waiter, now)


class KnowsNoBounds(Batcher[Numbered]):
    def _refusal(self, waiter: Numbered) -> Exception | None:
        return Draining() if self._state in {State.DRAINING, State.DRAINED} else None


class KnowsNoShares(Batcher[Numbered]):
    def _refusal(self, waiter: Numbered) -> Exception | None:
        refusal = super()._refusal(waiter)
        return None if isinstance(refusal, ShareExceeded) else refusal


class CountsTheWholeQueueAsAShare(Batcher[Numbered]):
    def _refusal(self, waiter: Numbered) -> Exception | None:
        full = self._queue.count >= self._limits.share
        return super()._refusal(waiter) or (ShareExceeded() if full else None)


class KnowsNoTurns(Batcher[Numbered]):
    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._queue = FairQueue(1_000_000)


class GivesAllTurnsToTheFirst(Batcher[Numbered]):
    def _next(self, now: float) -> Effects:
        turns = self._queue._turns
        ordered = sorted(turns)
        turns.clear()
        turns.extend(ordered)
        return super()._next(now)


class AcceptsWhileDraining(Batcher[Numbered]):
    def submitted(self, waiter: Numbered, now: float) -> Effects:
        if self._state is not State.DRAINING:
            return super().submitted(waiter, now)
        self._queue.put(waiter)
        return []


class ForgetsToAskForBeingWoken(Batcher[Numbered]):
    def _next(self, now: float) -> Effects:
        return [e for e in super()._next(now) if not isinstance(e, WakeAt)]


class NeverDrained(Batcher[Numbered]):
    def _next(self, now: float) -> Effects:
        return [e for e in super()._next(now) if not isinstance(e, Drained)]


class DrainedTooEarly(Batcher[Numbered]):
    def drain(self, now: float) -> Effects:
        return [*super().drain(now), Drained()]


class TakesTooMany(Batcher[Numbered]):
    def _next(self, now: float) -> Effects:
        return [
            Take([*effect.waiters, *self._queue.take(1, 0, now)[0]])
            if isinstance(effect, Take)
            else effect
            for effect in super()._next(now)
        ]


class StopsAfterABatch(Batcher[Numbered]):
    def finished(self, now: float) -> Effects:
        if self._state is State.DRAINING:
            return super().finished(now)
        self._state = State.IDLE
        return []


SABOTAGE = [
    each for each in list(vars().values())
    if isinstance(each, type) and issubclass(each, Batcher) and each is not Batcher
]  # fmt: skip


@pytest.mark.parametrize("broken", SABOTAGE)
def test_a_broken_machine_is_caught(broken: type[Batcher[Numbered]]) -> None:
    with pytest.raises(BrokenPromise):
        run(broken, range(ENOUGH_TO_CATCH))
