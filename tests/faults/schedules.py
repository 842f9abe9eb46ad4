"""Random schedules for the state machine of a lane, in virtual time, and what must hold.

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
    Refuse,
    Take,
    WakeAt,
)
from infrastructure.lanes.fairness import LEAST_COST, Waiter
from infrastructure.lanes.refusals import (
    CallerLeft,
    DeadlinePassed,
    Draining,
    Overloaded,
    ShareExceeded,
)

SIZES = (1, 1, 1, 20, 60, 500)
CALLERS = ("flood", "flood", "flood", "second", "third")
ENDINGS = ("recorded", "recorded", "conflicts", "refused", "lost", "poisoned")


class BrokenPromise(AssertionError):
    """The machine did what it must not."""


def promise(kept: bool, what: str) -> None:
    """Raises BrokenPromise if a promise is not kept."""
    if not kept:
        raise BrokenPromise(what)


@dataclass(eq=False, slots=True)
class Numbered(Waiter):
    """A waiter by its number."""

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
    wake_at: float | None = None
    passed_over: dict[str, int] = field(default_factory=dict)

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
            queue_bytes=self._random.choice((100, 700, 100_000)),
            share=self._random.choice((2, 6, 64)),
            share_bytes=self._random.choice((60, 520, 100_000)),
            batch=self._random.choice((1, 2, 5)),
            batch_bytes=self._random.choice((50, 100)),
            turn=self._random.choice((1, 2, 9)) * LEAST_COST,
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
        caller, size = self._random.choice(CALLERS), self._random.choice(SIZES)
        waiter = Numbered(caller, size, deadline, number)
        account = self._account
        expected = self._expected_refusal(waiter)
        account.waiting.append(waiter)
        self._perform(self._machine.submitted(waiter, self._now))
        bounds = {"Draining", "Overloaded", "ShareExceeded"} & {account.answers.get(number)}
        promise(bounds == expected, "the queue has its bounds, and no others")

    def _expected_refusal(self, waiter: Numbered) -> set[str]:
        waiting, limits = self._account.waiting, self.limits
        own = [each.size for each in waiting if each.caller == waiter.caller]
        size = sum(each.size for each in waiting) + waiter.size
        if self._account.draining:
            return {"Draining"}
        if len(waiting) >= limits.queue or (waiting and size > limits.queue_bytes):
            return {"Overloaded"}
        if len(own) >= limits.share or (own and sum(own) + waiter.size > limits.share_bytes):
            return {"ShareExceeded"}
        return set()

    def _cancel(self) -> None:
        """A caller cancels: it waits, or it is served, or it was answered just now."""
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
        if account.wake_at is not None and account.wake_at <= self._now:
            account.wake_at = None
            self._perform(self._machine.woken(self._now))

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
        self._perform(self._machine.finished(self._now))

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
                case WakeAt(moment):
                    promise(moment > self._now, "it asks to be woken in the past")
                    account.wake_at = moment
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
        promise(account.cancelled.isdisjoint(numbers), "taken although its caller had left")
        promise(account.answers.keys().isdisjoint(numbers), "taken although it was answered")
        late = [t for t in waiters if t.deadline is not None and t.deadline <= self._now]
        promise(not late, "taken after its deadline")
        self._check_turns(waiters)
        for waiter in waiters:
            account.waiting.remove(waiter)
        account.taken.update(numbers)
        account.writing = waiters

    def _check_turns(self, waiters: Sequence[Numbered]) -> None:
        """A caller's waiters keep their order, and a caller that waits is not passed over."""
        account = self._account
        shares: dict[str, list[Numbered]] = {each.caller: [] for each in account.waiting}
        for waiter in waiters:
            shares[waiter.caller].append(waiter)
        for caller, share in shares.items():
            line = [each for each in account.waiting if each.caller == caller]
            promise(share == line[: len(share)], "taken out of order")
            passed_over = 0 if share else account.passed_over.get(caller, 0) + 1
            promise(passed_over < len(set(CALLERS)), "its neighbours had more turns")
            account.passed_over[caller] = passed_over
        if all(shares.values()):
            return
        for share in shares.values():
            cost = sum(max(each.size, LEAST_COST) for each in share)
            promise(len(share) <= 1 or cost <= self.limits.turn, "a flood starves a neighbour")

    def _refuse(self, waiter: Numbered, refusal: Exception) -> None:
        account = self._account
        promise(waiter in account.waiting, "refused although it did not wait")
        account.waiting.remove(waiter)
        if all(each.caller != waiter.caller for each in account.waiting):
            account.passed_over.pop(waiter.caller, None)
        account.answer(waiter.submission, type(refusal).__name__)
        self._answered = waiter
        account.refused.add(waiter.submission)
        match refusal:
            case DeadlinePassed():
                passed = waiter.deadline is not None and waiter.deadline <= self._now
                promise(passed, "its deadline had not passed")
            case Overloaded() | ShareExceeded():
                pass  # Checked by the code that submitted it.
            case Draining():
                promise(account.draining, "it was not draining")
            case CallerLeft():
                promise(waiter.submission in account.cancelled, "its caller had not left")
            case _:
                promise(False, f"it refuses with {refusal!r}")

    def _check(self) -> None:
        account = self._account
        promise(self._machine.waiting == len(account.waiting), "it miscounts those who wait")
        idle = not account.writing and account.wake_at is None
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
