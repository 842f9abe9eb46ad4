"""Callers that wait together are served together: group commit for writes, coalescing for reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Generic, TypeVar

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

S = TypeVar("S")
O = TypeVar("O")  # noqa: E741 - an outcome


@dataclass(eq=False, slots=True)
class Asked(Waiter, Generic[S, O]):
    """What a caller asks for; `answer` is called once, on any thread, and must not raise."""

    submission: S
    answer: Callable[[O | Exception], None]


Batch = Sequence[Asked[S, O]]


class Lane(Generic[S, O]):
    """Hands what callers ask for to one thread of its own, all that waits at a time.

    The only place where work crosses from the threads that take calls to the one that does it.
    """

    def __init__(
        self, name: str, work: Callable[[Sequence[S]], Sequence[O | Exception]], limits: Limits
    ) -> None:
        """`work` is done on the thread of this name: an outcome for each of a batch, in order."""
        self._work = work
        self._batcher: Batcher[Asked[S, O]] = Batcher(limits)
        self._deciding = Lock()
        self._orders: SimpleQueue[Take[Asked[S, O]] | LookAgain | Drained] = SimpleQueue()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def unanswered(self) -> int:
        """How many callers wait for their outcome."""
        return self._batcher.unanswered

    def submit(
        self,
        submission: S,
        size: int,
        deadline: float | None,
        answer: Callable[[O | Exception], None],
    ) -> Asked[S, O]:
        """Asks for something of `size` bytes; `answer` is given the outcome, once.

        `deadline` is a moment of the monotonic clock. The outcome of a command is durable when it
        is no exception.
        """
        asked: Asked[S, O] = Asked(size, deadline, submission, answer)
        with self._deciding:
            effects = self._batcher.submitted(asked, monotonic())
        self._perform(effects)
        return asked

    def withdraw(self, asked: Asked[S, O]) -> None:
        """The caller went away. What still waits is not done; what is being done goes on."""
        with self._deciding:
            effects = self._batcher.cancelled(asked)
        self._perform(effects)

    def drain(self) -> None:
        """Finishes what was accepted, refuses what comes, and ends the thread."""
        with self._deciding:
            effects = self._batcher.drain(monotonic())
        self._perform(effects)
        self._thread.join()

    def _perform(self, effects: Sequence[Effect[Asked[S, O]]]) -> None:
        for effect in effects:
            if isinstance(effect, Refuse):
                effect.waiter.answer(effect.refusal)
            else:
                self._orders.put(effect)

    def _run(self) -> None:
        look_again_at: float | None = None
        while True:
            try:
                order = self._orders.get(timeout=_until(look_again_at))
            except Empty:
                look_again_at = None
                with self._deciding:
                    effects = self._batcher.passed(monotonic())
                self._perform(effects)
                continue
            match order:
                case Take(batch):
                    self._serve(batch)
                case LookAgain(at):
                    look_again_at = at
                case Drained():
                    return

    def _serve(self, batch: Batch[S, O]) -> None:
        answers: list[tuple[Asked[S, O], O | Exception]]
        try:
            outcomes = self._work([asked.submission for asked in batch])
            answers = list(zip(batch, outcomes, strict=True))
        except Exception as fault:  # noqa: BLE001 - the thread must outlive any batch
            answers = [(asked, fault) for asked in batch]
        for asked, outcome in answers:
            asked.answer(outcome)
        with self._deciding:
            effects = self._batcher.finished(len(batch), monotonic())
        self._perform(effects)


def _until(moment: float | None) -> float | None:
    """Seconds until a moment; None for ever."""
    return None if moment is None else max(0.0, moment - monotonic())
