"""What the group commit does next, as a pure state machine: no clock, no thread, no loop.

Events go in (submitted, cancelled, a moment passed, written, failed, drain), effects come out
(take these, answer so, look again at this moment). Times are seconds of any monotonic clock.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from infrastructure.lanes.refusals import CallerLeft, DeadlinePassed, Draining, Overloaded


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the queue and of one batch.

    `linger` is how long, in seconds, a batch waits for company; `company` is how many are enough.
    """

    queue: int = 4096
    batch: int = 256
    batch_bytes: int = 4_000_000
    linger: float = 0.008
    company: int = 48


@dataclass(eq=False, slots=True)
class Waiter:
    """Something that waits; `size` in bytes as stored, `deadline` a moment or None."""

    size: int
    deadline: float | None


T = TypeVar("T", bound=Waiter)


@dataclass(frozen=True, slots=True)
class Take(Generic[T]):
    """Write these now, in this order."""

    waiters: Sequence[T]


@dataclass(frozen=True, slots=True)
class Refuse(Generic[T]):
    """Answer this waiter; nothing of it was decided."""

    waiter: T
    refusal: Exception


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Let a moment pass: call `passed` at this one."""

    at: float


@dataclass(frozen=True, slots=True)
class Drained:
    """All that was accepted is written; nothing more will be taken."""


Effect = Take[T] | Refuse[T] | LookAgain | Drained


class Batcher(Generic[T]):
    """One batch is written at a time; what arrives meanwhile waits for the next.

    A lone command is taken at once. After a batch of several, the next one lingers until as many
    wait again or the linger is over: those who were just answered are about to ask again. In
    larger company it does not wait for all of them: a larger batch would be no cheaper a command,
    and nothing would be done meanwhile.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queue: deque[T] = deque()
        self._writing = 0
        self._draining = False
        self._drained = False
        self._expected = 1
        self._linger_until = 0.0
        self._look_again_at = 0.0

    @property
    def waiting(self) -> int:
        """How many waiters wait to be taken."""
        return len(self._queue)

    @property
    def unanswered(self) -> int:
        """How many waiters wait or are being written."""
        return len(self._queue) + self._writing

    def submitted(self, waiter: T, now: float) -> list[Effect[T]]:
        """A command arrived."""
        if self._draining:
            return [Refuse(waiter, Draining())]
        if len(self._queue) >= self._limits.queue:
            return [Refuse(waiter, Overloaded())]
        self._queue.append(waiter)
        return self._next(now)

    def cancelled(self, waiter: T) -> list[Effect[T]]:
        """The caller went away: a waiter that still waits is never decided."""
        if waiter not in self._queue:
            return []
        self._queue.remove(waiter)
        return [Refuse(waiter, CallerLeft())]

    def passed(self, now: float) -> list[Effect[T]]:
        """A moment passed."""
        self._look_again_at = 0.0
        return self._next(now)

    def finished(self, count: int, now: float) -> list[Effect[T]]:
        """The batch that was taken is done, well or not: its `count` callers may ask again."""
        self._writing = 0
        self._expected = min(count, self._limits.company)
        self._linger_until = now + self._limits.linger
        return self._next(now)

    def drain(self, now: float) -> list[Effect[T]]:
        """Accept no more and finish what was accepted."""
        self._draining = True
        return self._next(now)

    def _next(self, now: float) -> list[Effect[T]]:
        effects: list[Effect[T]] = []
        if self._writing:
            return effects
        if self._lingers(now):
            return self._look_again()
        batch: list[T] = []
        room = self._limits.batch_bytes
        while self._queue and len(batch) < self._limits.batch:
            waiter = self._queue[0]
            if batch and waiter.size > room:
                break
            self._queue.popleft()
            if waiter.deadline is not None and waiter.deadline <= now:
                effects.append(Refuse(waiter, DeadlinePassed()))
                continue
            room -= waiter.size
            batch.append(waiter)
        if batch:
            self._writing = len(batch)
            effects.append(Take(batch))
        elif self._draining and not self._drained:
            self._drained = True
            effects.append(Drained())
        return effects

    def _look_again(self) -> list[Effect[T]]:
        if self._look_again_at == self._linger_until:
            return []  # It was said already.
        self._look_again_at = self._linger_until
        return [LookAgain(self._linger_until)]

    def _lingers(self, now: float) -> bool:
        if self._draining or not self._queue:
            return False
        return len(self._queue) < self._expected and now < self._linger_until
