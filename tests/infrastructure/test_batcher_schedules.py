"""The group commit's state machine under thousands of random schedules, and under sabotage."""

from collections.abc import Iterable

import pytest

from infrastructure.rpc.batcher import Batcher, Drained, Effect, LookAgain, Take, Ticket
from tests.faults.schedules import BrokenPromise, Schedule

Effects = list[Effect[int]]

SCHEDULES = 6000
IN_ONE_TEST = 500
ENOUGH_TO_CATCH = 500


def run(machine: type[Batcher[int]], seeds: Iterable[int]) -> None:
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
    refusals = {"DeadlinePassed", "Overloaded", "Draining"}
    assert answers == refusals | {"recorded", "conflicts", "refused", "lost", "poisoned"}


class ForgetsDeadlines(Batcher[int]):
    def _next(self, now: float) -> Effects:
        return super()._next(-1.0 if not self._lingers(now) else now)


class TakesTwice(Batcher[int]):
    def submitted(self, ticket: Ticket[int], now: float) -> Effects:
        effects = super().submitted(ticket, now)
        if ticket.submission == 3 and ticket in self._queue:
            self._queue.append(ticket)
        return effects


class LosesOnCancel(Batcher[int]):
    def cancelled(self, ticket: Ticket[int]) -> None:
        super().cancelled(ticket)
        if self._queue:
            self._queue.pop()


class KeepsTheCancelled(Batcher[int]):
    def cancelled(self, ticket: Ticket[int]) -> None:
        """Forgets to."""


class TakesTheLastFirst(Batcher[int]):
    def submitted(self, ticket: Ticket[int], now: float) -> Effects:
        effects = super().submitted(ticket, now)
        self._queue.rotate(1)
        return effects


class WritesTwoAtATime(Batcher[int]):
    def submitted(self, ticket: Ticket[int], now: float) -> Effects:
        self._writing = False
        return super().submitted(ticket, now)


class KnowsNoBoundOfTheQueue(Batcher[int]):
    def submitted(self, ticket: Ticket[int], now: float) -> Effects:
        if self._draining:
            return super().submitted(ticket, now)
        self._queue.append(ticket)
        return self._next(now)


class AcceptsWhileDraining(Batcher[int]):
    def submitted(self, ticket: Ticket[int], now: float) -> Effects:
        draining, self._draining = self._draining, False
        effects = super().submitted(ticket, now)
        self._draining = draining
        return effects


class ForgetsToLookAgain(Batcher[int]):
    def _next(self, now: float) -> Effects:
        return [e for e in super()._next(now) if not isinstance(e, LookAgain)]


class NeverDrained(Batcher[int]):
    def _next(self, now: float) -> Effects:
        return [e for e in super()._next(now) if not isinstance(e, Drained)]


class DrainedTooEarly(Batcher[int]):
    def drain(self, now: float) -> Effects:
        return [*super().drain(now), Drained()]


class TakesTooMany(Batcher[int]):
    def _next(self, now: float) -> Effects:
        effects = super()._next(now)
        for index, effect in enumerate(effects):
            if isinstance(effect, Take) and self._queue:
                effects[index] = Take([*effect.tickets, self._queue.popleft()])
        return effects


class StopsAfterABatch(Batcher[int]):
    def written(self, count: int, now: float) -> Effects:
        self._writing = False
        return super().drain(now) if self._draining else []


@pytest.mark.parametrize("broken", [
    AcceptsWhileDraining, DrainedTooEarly, ForgetsDeadlines, ForgetsToLookAgain,
    KeepsTheCancelled, KnowsNoBoundOfTheQueue, LosesOnCancel, NeverDrained, StopsAfterABatch,
    TakesTheLastFirst, TakesTooMany, TakesTwice, WritesTwoAtATime,
])  # fmt: skip
def test_a_broken_machine_is_caught(broken: type[Batcher[int]]) -> None:
    with pytest.raises(BrokenPromise):
        run(broken, range(ENOUGH_TO_CATCH))
