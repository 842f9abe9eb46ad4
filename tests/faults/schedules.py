"""Random schedules for the group commit's state machine, in virtual time, and what must hold.

A schedule submits, cancels, lets time pass and drains while a double of the writer takes batches
and reports them back: decided, in conflict for some, failed whole, recorded but reported failed.
After every step the promises of the machine are checked against an account of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from infrastructure.lanes.batcher import (
    Batcher,
    Drained,
    Effect,
    Limits,
    LookAgain,
    Refuse,
    Take,
    Waiter,
)
from infrastructure.lanes.refusals import CallerLeft, DeadlinePassed, Draining, Overloaded

SIZES = (1, 1, 1, 20, 60, 500)
ENDINGS = ("recorded", "recorded", "conflicts", "refused", "lost", "poisoned")


class BrokenPromise(AssertionError):
    """The machine did what it must not."""


def promise(kept: bool, what: str) -> None:
    """Raises BrokenPromise where a promise is not kept."""
    if not kept:
        raise BrokenPromise(what)


@dataclass(eq=False, slots=True)
class Numbered(Waiter):
    """A command by its number."""

    submission: int


@dataclass(slots=True)
class Account:
    """What happened to every waiter, as the world outside the machine sees it."""

    waiting: list[Numbered] = field(default_factory=list)
    writing: Sequence[Numbered] = ()
    taken: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    answers: dict[int, str] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)
    recorded: set[int] = field(default_factory=set)
    draining: bool = False
    drained: bool = False
    look_again: float | None = None

    def answer(self, number: int, how: str) -> None:
        """A caller learns its outcome, if it still listens."""
        promise(number not in self.answers, f"{number} is answered twice")
        self.answers[number] = how


class Schedule:
    """One run of one machine from one seed."""

    def __init__(self, seed: int, machine: type[Batcher[Numbered]] = Batcher) -> None:
        self._random = Random(seed)
        self.limits = Limits(
            queue=self._random.choice((3, 8, 64)),
            batch=self._random.choice((1, 2, 5)),
            batch_bytes=self._random.choice((50, 100)),
            linger=self._random.choice((0.0, 1.0, 3.0)),
            company=self._random.choice((1, 2, 48)),
        )
        self._machine = machine(self.limits)
        self._account = Account()
        self._submitted = 0
        self._answered: Numbered | None = None
        self._now = 0.0

    def run(self, steps: int = 40) -> Account:
        """Random steps, then a drain to the end. Raises BrokenPromise."""
        for _ in range(steps):
            self._step()
            self._check()
        self._drain()
        while not self._account.drained:
            promise(bool(self._account.writing), "it is not drained, yet nothing is written")
            self._finish()
            self._check()
        self._end()
        return self._account

    def _step(self) -> None:
        match self._random.randrange(10):
            case 0 | 1 | 2 | 3:
                self._submit()
            case 4:
                self._cancel()
            case 5 | 6:
                self._pass(self._random.random())
            case _ if self._account.writing:
                self._finish()
            case 9 if self._random.random() < 0.05:
                self._drain()

    def _submit(self) -> None:
        number, self._submitted = self._submitted, self._submitted + 1
        patience = self._random.choice((None, None, 0.0, 1.0, 4.0))
        deadline = None if patience is None else self._now + patience
        waiter = Numbered(self._random.choice(SIZES), deadline, number)
        account = self._account
        refused = account.draining or len(account.waiting) >= self.limits.queue
        account.waiting.append(waiter)
        self._perform(self._machine.submitted(waiter, self._now))
        expected = "Draining" if account.draining else "Overloaded"
        promise(not refused or account.answers.get(number) == expected, "the queue has a bound")

    def _cancel(self) -> None:
        """A caller goes away: it waits, or it is served, or it was answered just now."""
        account = self._account
        candidates = [*account.waiting, *account.writing]
        if self._answered is not None:
            candidates.append(self._answered)
        if not candidates:
            return
        waiter = self._random.choice(candidates)
        number, waited = waiter.submission, waiter in account.waiting
        account.cancelled.add(number)
        effects = self._machine.cancelled(waiter)
        promise(waited or not effects, "a cancellation meddles with one that did not wait")
        self._perform(effects)
        promise(not waited or account.answers.get(number) == "CallerLeft", "it waits on")

    def _pass(self, seconds: float) -> None:
        self._now += seconds
        account = self._account
        if account.look_again is not None and account.look_again <= self._now:
            account.look_again = None
            self._perform(self._machine.passed(self._now))

    def _finish(self) -> None:
        """The writer comes back with an outcome for each waiter of its batch."""
        account = self._account
        batch, account.writing = account.writing, ()
        ending = self._random.choice(ENDINGS)
        for waiter in batch:
            harmed = self._random.random() < 0.3
            if ending in {"recorded", "lost"} or (ending != "refused" and not harmed):
                promise(waiter.submission not in account.recorded, "recorded twice")
                account.recorded.add(waiter.submission)
            account.answer(waiter.submission, ending)
            self._answered = waiter
        self._now += self._random.random() * 2
        self._perform(self._machine.finished(len(batch), self._now))

    def _drain(self) -> None:
        if not self._account.draining:
            self._account.draining = True
            self._perform(self._machine.drain(self._now))

    def _perform(self, effects: Sequence[Effect[Numbered]]) -> None:
        account = self._account
        promise(not (effects and account.drained and not _all_draining(effects)), "it had ended")
        for effect in effects:
            match effect:
                case Take(waiters):
                    self._take(waiters)
                case Refuse(waiter, refusal):
                    self._refuse(waiter, refusal)
                case LookAgain(at):
                    promise(at > self._now, "it looks again in the past")
                    account.look_again = at
                case Drained():
                    promise(not account.drained, "it is drained twice")
                    promise(not account.waiting, "it is drained while commands wait")
                    account.drained = True

    def _take(self, waiters: Sequence[Numbered]) -> None:
        account, limits = self._account, self.limits
        numbers = [waiter.submission for waiter in waiters]
        promise(not account.writing, "two batches at a time")
        promise(0 < len(waiters) <= limits.batch, "a batch is empty or too long")
        size = sum(waiter.size for waiter in waiters)
        promise(size <= limits.batch_bytes or len(waiters) == 1, "a batch is too large")
        promise(account.taken.isdisjoint(numbers), "taken twice")
        promise(account.cancelled.isdisjoint(numbers), "taken although its caller had gone")
        promise(account.answers.keys().isdisjoint(numbers), "taken although it was answered")
        late = [t for t in waiters if t.deadline is not None and t.deadline <= self._now]
        promise(not late, "taken after its deadline")
        promise(list(waiters) == account.waiting[: len(waiters)], "taken out of order")
        del account.waiting[: len(waiters)]
        account.taken.update(numbers)
        account.writing = waiters

    def _refuse(self, waiter: Numbered, refusal: Exception) -> None:
        account, limits = self._account, self.limits
        promise(waiter in account.waiting, "refused although it did not wait")
        account.waiting.remove(waiter)
        account.answer(waiter.submission, type(refusal).__name__)
        self._answered = waiter
        account.refused.add(waiter.submission)
        match refusal:
            case DeadlinePassed():
                passed = waiter.deadline is not None and waiter.deadline <= self._now
                promise(passed, "its deadline had not passed")
            case Overloaded():
                promise(len(account.waiting) >= limits.queue, "there was room")
            case Draining():
                promise(account.draining, "it was not draining")
            case CallerLeft():
                promise(waiter.submission in account.cancelled, "its caller had not gone")
            case _:
                promise(False, f"it refuses with {refusal!r}")

    def _check(self) -> None:
        account = self._account
        promise(self._machine.waiting == len(account.waiting), "it miscounts those who wait")
        idle = not account.writing and account.look_again is None
        promise(not (idle and account.waiting), "commands wait for ever")

    def _end(self) -> None:
        account = self._account
        everyone = set(range(self._submitted))
        silent = everyone - account.answers.keys()
        promise(not silent, f"{sorted(silent)} were never answered")
        promise(account.refused.isdisjoint(account.taken), "taken although it was refused")
        promise(account.refused | account.taken == everyone, "neither taken nor refused")
        promise(account.recorded <= account.taken, "recorded without being taken")
        self._submit()
        promise(account.answers[self._submitted - 1] == "Draining", "accepted after its end")


def _all_draining(effects: Sequence[Effect[Numbered]]) -> bool:
    return all(isinstance(e, Refuse) and isinstance(e.refusal, Draining) for e in effects)
