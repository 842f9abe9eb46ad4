"""When a lane takes which of its waiters, as a pure state machine: no clock, no thread, no lock.

States
    IDLE       nothing is worked on, and nobody waits
    LINGERING  nothing is worked on; those who wait are kept a moment, for company
    BUSY       one batch is worked on; who comes meanwhile waits for the next one
    DRAINING   nobody new is accepted; a batch is worked on, and some may still wait
    DRAINED    nobody new is accepted, and nothing waits any more; the end

Events and what each leads to ("next" is the rule below; - is nothing)

    event      IDLE       LINGERING  BUSY       DRAINING   DRAINED
    submitted  next       next       it waits   refused    refused
    cancelled  -          refused    refused    refused    -
    woken      -          next       -          -          -
    finished                         next       next
    drain      DRAINED    next       DRAINING   -          -

    next       nobody waits:              IDLE, or DRAINED if the lane drains
               company may still come:    LINGERING until it is there, or its moment has passed
               otherwise a batch is taken: BUSY, or DRAINING if the lane drains

Rules
    1. One batch is worked on at a time.
    2. A waiter is taken once, or refused once; never both.
    3. After a batch of several, the next one lingers until as many wait again, or until
       `linger` seconds have passed: those who were just answered are about to ask again. It never
       waits for more than `company`: a larger batch is no cheaper a call, and nothing would be
       done meanwhile. After a batch of one, nobody lingers. Nobody lingers in a drain.
    4. A batch holds at most `batch` waiters and `batch_bytes`; a larger waiter goes alone.
    5. The queue holds at most `queue` waiters and `queue_bytes`, and of one caller at most `share`
       and `share_bytes`. Beyond that a waiter is refused at once. Bounds in bytes never refuse
       the only waiter (of the queue, of the caller), so that no size is refused for ever.
    6. The waiters of one caller are taken in their order; callers take turns (fairness.py).
    7. A waiter whose deadline has passed is refused when its turn comes, and not taken.
    8. A waiter that is cancelled is refused if it still waits; if it is worked on, it goes on.

Times are seconds of any monotonic clock.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Generic

from domain.values import value
from infrastructure.lanes.fairness import FairQueue, W
from infrastructure.lanes.refusals import (
    CallerLeft,
    DeadlinePassed,
    Draining,
    Overloaded,
    ShareExceeded,
)


class State(Enum):
    """What a lane is doing."""

    IDLE = auto()
    LINGERING = auto()
    BUSY = auto()
    DRAINING = auto()
    DRAINED = auto()


@value()
class Limits:
    """The bounds of rules 3 to 6. `linger` is in seconds; `turn` in bytes, see FairQueue."""

    queue: int = 4096
    queue_bytes: int = 64_000_000
    share: int = 1024
    share_bytes: int = 16_000_000
    batch: int = 256
    batch_bytes: int = 1_000_000
    turn: int = 16 * 1024
    linger: float = 0.008
    company: int = 48


@value()
class Take(Generic[W]):
    """Work on these now, in this order; then report `finished`."""

    waiters: Sequence[W]


@value()
class Refuse(Generic[W]):
    """Refuse this waiter; nothing was decided for it."""

    waiter: W
    refusal: Exception


@value()
class WakeAt:
    """Report `woken` at this moment."""

    moment: float


@value()
class Drained:
    """All accepted work is done; no batch will be taken any more."""


Effect = Take[W] | Refuse[W] | WakeAt | Drained


class Batcher(Generic[W]):
    """The machine: each event returns the effects that the caller must see to."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._never_refused = min(limits.queue, limits.share)
        self._never_refused_bytes = min(limits.queue_bytes, limits.share_bytes)
        self._queue: FairQueue[W] = FairQueue(limits.turn)
        self._state = State.IDLE
        self._accepts = True
        self._worked_on = 0
        self._expected = 1
        self._linger_until = 0.0

    @property
    def state(self) -> State:
        """What the lane is doing."""
        return self._state

    @property
    def waiting(self) -> int:
        """How many waiters wait to be taken."""
        return self._queue.count

    @property
    def unanswered(self) -> int:
        """How many waiters wait or are worked on."""
        return self._queue.count + self._worked_on

    def submitted(self, waiter: W, now: float) -> Sequence[Effect[W]]:
        """A waiter has come."""
        refusal = self._refusal(waiter)
        if refusal is not None:
            return [Refuse(waiter, refusal)]
        self._queue.put(waiter)
        return () if self._state is State.BUSY else self._next(now)

    def cancelled(self, waiter: W) -> Sequence[Effect[W]]:
        """The caller of a waiter has cancelled."""
        if not self._queue.remove(waiter):
            return ()
        if not self._queue.count and self._state is State.LINGERING:
            self._state = State.IDLE
        return [Refuse(waiter, CallerLeft())]

    def woken(self, now: float) -> Sequence[Effect[W]]:
        """The moment of a WakeAt has passed. Calling it at any other time is harmless."""
        if self._state is not State.LINGERING:
            return ()
        self._state = State.IDLE
        return self._next(now)

    def finished(self, now: float) -> Sequence[Effect[W]]:
        """The batch that was taken is done, with success or not: its callers may ask again."""
        self._expected = min(self._worked_on, self._limits.company)
        self._linger_until = now + self._limits.linger
        self._worked_on = 0
        if self._state is State.BUSY:
            self._state = State.IDLE
        return self._next(now)

    def drain(self, now: float) -> Sequence[Effect[W]]:
        """Nobody new is accepted from now on."""
        if not self._accepts:
            return ()
        self._accepts = False
        busy = self._state is State.BUSY
        self._state = State.DRAINING
        return () if busy else self._next(now)

    def _refusal(self, waiter: W) -> Exception | None:
        if not self._accepts:
            return Draining()
        queue, limits = self._queue, self._limits
        with_it = queue.size + waiter.size
        if queue.count < self._never_refused and with_it <= self._never_refused_bytes:
            return None  # The whole queue holds less than the share of one caller.
        if queue.count >= limits.queue or (queue.count and with_it > limits.queue_bytes):
            return Overloaded()
        count, size = queue.held_by(waiter.caller)
        if count >= limits.share or (count and size + waiter.size > limits.share_bytes):
            return ShareExceeded()
        return None

    def _next(self, now: float) -> Sequence[Effect[W]]:
        if self._lingers(now):
            if self._state is State.LINGERING:
                return ()  # The waiters are kept until `woken`.
            self._state = State.LINGERING
            return [WakeAt(self._linger_until)]
        batch, late = self._queue.take(self._limits.batch, self._limits.batch_bytes, now)
        effects: list[Effect[W]] = [Refuse(waiter, DeadlinePassed()) for waiter in late]
        draining = self._state is State.DRAINING
        if batch:
            self._worked_on = len(batch)
            self._state = State.DRAINING if draining else State.BUSY
            effects.append(Take(batch))
        elif draining:
            self._state = State.DRAINED
            effects.append(Drained())
        else:
            self._state = State.IDLE
        return effects

    def _lingers(self, now: float) -> bool:
        if not 0 < self._queue.count < self._expected or now >= self._linger_until:
            return False
        return self._accepts
