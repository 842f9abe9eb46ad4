"""Callers of a grouping: each knows whether it was answered, and how often."""

from threading import Event, Thread
from typing import Generic, TypeVar

from infrastructure.lanes.lane import Asked, Lane

S = TypeVar("S")
O = TypeVar("O")  # noqa: E741 - an outcome

SOON = 5.0  # seconds: the bound of every wait


class Caller(Generic[S, O]):
    """One that asks for something, and hears of its outcome on whatever thread."""

    def __init__(
        self, grouping: Lane[S, O], submission: S, size: int, deadline: float | None
    ) -> None:
        self.answers: list[O | Exception] = []
        self._answered = Event()
        self._grouping = grouping
        self._asked: Asked[S, O] = grouping.submit(submission, size, deadline, self._answer)

    def outcome(self) -> O | Exception:
        """The answer, soon or never."""
        assert self._answered.wait(SOON), "no answer came"
        return self.answers[0]

    def leave(self) -> None:
        """Goes away."""
        self._grouping.withdraw(self._asked)

    def _answer(self, outcome: O | Exception) -> None:
        self.answers.append(outcome)
        self._answered.set()


class Callers(Generic[S, O]):
    """All who ask one grouping."""

    def __init__(self, grouping: Lane[S, O]) -> None:
        self.grouping = grouping
        self._all: list[Caller[S, O]] = []

    def ask(self, submission: S, size: int = 1, deadline: float | None = None) -> Caller[S, O]:
        """A new caller, who has asked."""
        caller = Caller(self.grouping, submission, size, deadline)
        self._all.append(caller)
        return caller

    def ask_each(self, *submissions: S) -> list[Caller[S, O]]:
        """A new caller for each submission, in this order."""
        return [self.ask(submission) for submission in submissions]

    def drain(self) -> None:
        """Drains the grouping, soon or never; every caller was answered once, then."""
        draining = self.start_to_drain()
        draining.join(SOON)
        assert not draining.is_alive(), "it does not come to its end"
        counts = {len(caller.answers) for caller in self._all}
        assert counts <= {1}, "answered never, or more than once"

    def start_to_drain(self) -> Thread:
        """A thread on which the grouping is drained."""
        draining = Thread(target=self.grouping.drain, daemon=True)
        draining.start()
        return draining


class Hold:
    """What work passes: open as a rule, and held by a test that wants others to wait."""

    def __init__(self) -> None:
        self._begun = Event()
        self._free = Event()
        self._free.set()

    def passed(self) -> None:
        """Work begins, and goes on when it is free."""
        self._begun.set()
        assert self._free.wait(SOON)

    def close(self) -> None:
        """The next work is held."""
        self._begun.clear()
        self._free.clear()

    def wait_for_work(self) -> None:
        """Waits until work is held."""
        assert self._begun.wait(SOON), "no work began"

    def open(self) -> None:
        """Work goes on."""
        self._free.set()
