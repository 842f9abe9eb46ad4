"""Callers that wait together are served together: group commit for writes, coalescing for reads."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Generic, TypeVar

from infrastructure.lanes.batcher import Batcher, Drained, Effect, Limits, Refuse, Take, WakeAt
from infrastructure.lanes.fairness import Waiter
from infrastructure.lanes.refusals import WorkFailed
from infrastructure.telemetry.observer import InertObserver, Observer

S = TypeVar("S")
O = TypeVar("O")  # noqa: E741 - an outcome

STUCK_AFTER = 60.0  # seconds: no batch takes that long, since every statement is bounded

Work = Callable[[Sequence[S]], Iterable[O | Exception]]
"""Returns an outcome for each item of a batch, in order. A generator's are passed on at once."""


@dataclass(eq=False, slots=True)
class Ticket(Waiter, Generic[S, O]):
    """A place in a lane: the request, and the function that receives its outcome."""

    submission: S
    answer: Callable[[O | Exception], None]
    lane: "Lane[S, O]"
    entered: float

    def withdraw(self) -> None:
        """The caller has cancelled: work that still waits is not done; work in progress goes on."""
        self.lane.withdraw(self)


class Lane(Generic[S, O]):
    """Passes what callers submit to a thread of its own, all waiting requests together.

    Only here does work move from the threads that take calls to the thread that does it.
    """

    def __init__(
        self,
        name: str,
        work: Work[S, O],
        limits: Limits,
        observer: Observer | None = None,
    ) -> None:
        """`work` is done on a thread of this name, a batch at a time."""
        self._name = name
        self._work = work
        self._observer = observer or InertObserver()
        self._batcher: Batcher[Ticket[S, O]] = Batcher(limits)
        self._deciding = Lock()
        self._tasks: SimpleQueue[Take[Ticket[S, O]] | WakeAt | Drained] = SimpleQueue()
        self._busy_since: float | None = None
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def unanswered(self) -> int:
        """How many callers wait for their outcome."""
        return self._batcher.unanswered

    @property
    def alive(self) -> bool:
        """Whether the thread runs, and has not worked on one batch for longer than STUCK_AFTER."""
        since = self._busy_since
        stuck = since is not None and monotonic() - since > STUCK_AFTER
        return self._thread.is_alive() and not stuck

    def submit(
        self,
        submission: S,
        caller: str,
        size: int,
        deadline: float | None,
        answer: Callable[[O | Exception], None],
    ) -> Ticket[S, O]:
        """Asks for something that counts for `size` bytes, on behalf of a caller.

        `deadline` is a moment of the monotonic clock. `answer` is called once, with the outcome or
        a refusal, on any thread. It may be called before this method returns. It must not raise.
        """
        now = monotonic()
        ticket: Ticket[S, O] = Ticket(caller, size, deadline, submission, answer, self, now)
        with self._deciding:
            effects = self._batcher.submitted(ticket, now)
        if effects:
            self._perform(effects)
        return ticket

    def withdraw(self, ticket: Ticket[S, O]) -> None:
        """See Ticket.withdraw."""
        with self._deciding:
            effects = self._batcher.cancelled(ticket)
        self._perform(effects)

    def drain(self) -> None:
        """Finishes what was accepted, refuses what comes, and ends the thread."""
        with self._deciding:
            effects = self._batcher.drain(monotonic())
        self._perform(effects)
        self._thread.join()

    def _perform(self, effects: Sequence[Effect[Ticket[S, O]]]) -> None:
        for effect in effects:
            if isinstance(effect, Refuse):
                effect.waiter.answer(effect.refusal)
            else:
                self._tasks.put(effect)

    def _run(self) -> None:
        wake_at: float | None = None
        while True:
            try:
                task = self._tasks.get(timeout=_until(wake_at))
            except Empty:
                wake_at = None
                with self._deciding:
                    effects = self._batcher.woken(monotonic())
                self._perform(effects)
                continue
            match task:
                case Take():
                    self._serve(task.waiters)
                case WakeAt():
                    wake_at = task.moment
                case Drained():
                    return
            del task  # It holds requests, and the next one may be far away.

    def _serve(self, batch: Sequence[Ticket[S, O]]) -> None:
        self._busy_since = started = monotonic()
        waited = started - batch[0].entered
        self._observer.batch_taken(self._name, self._batcher.waiting, len(batch), waited)
        self._answer(batch)
        self._busy_since, now = None, monotonic()
        self._observer.batch_finished(self._name, len(batch), now - started)
        with self._deciding:
            effects = self._batcher.finished(now)
        self._perform(effects)

    def _answer(self, batch: Sequence[Ticket[S, O]]) -> None:
        """Works on a batch and answers each caller once, also if the work raises."""
        answered = 0
        try:
            outcomes = self._work([ticket.submission for ticket in batch])
            for ticket, outcome in zip(batch, outcomes, strict=False):  # Checked below.
                answered += 1
                ticket.answer(outcome)
            missing: Exception = WorkFailed("the work gave too few outcomes")
        except Exception as fault:  # noqa: BLE001 - the thread must outlive any batch
            missing = fault
        except BaseException as panic:  # noqa: BLE001 - a native library's panic is one
            missing = WorkFailed("the work ended in a panic")
            missing.__cause__ = panic
        for ticket in batch[answered:]:
            ticket.answer(missing)


def _until(moment: float | None) -> float | None:
    """Seconds until a moment; None for ever."""
    return None if moment is None else max(0.0, moment - monotonic())
