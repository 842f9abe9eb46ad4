"""Callers of a lane: each knows whether it was answered, and how often."""

from threading import Event, Thread
from typing import Generic, TypeVar

from infrastructure.lanes.lane import Lane, Ticket

S = TypeVar("S")
O = TypeVar("O")  # noqa: E741 - an outcome

SOON = 5.0  # seconds: the bound of every wait


class Caller(Generic[S, O]):
    """A caller that submits something and receives its outcome, on any thread."""

    def __init__(
        self, lane: Lane[S, O], submission: S, name: str, size: int, deadline: float | None
    ) -> None:
        self.answers: list[O | Exception] = []
        self._answered = Event()
        self._ticket: Ticket[S, O] = lane.submit(submission, name, size, deadline, self._answer)

    def outcome(self) -> O | Exception:
        """The answer, within SOON seconds."""
        assert self._answered.wait(SOON), "no answer came"
        return self.answers[0]

    def leave(self) -> None:
        """Cancels."""
        self._ticket.withdraw()

    def _answer(self, outcome: O | Exception) -> None:
        self.answers.append(outcome)
        self._answered.set()


class Callers(Generic[S, O]):
    """All callers of one lane."""

    def __init__(self, lane: Lane[S, O]) -> None:
        self.lane = lane
        self._all: list[Caller[S, O]] = []

    def ask(
        self, submission: S, size: int = 1, deadline: float | None = None, name: str = "someone"
    ) -> Caller[S, O]:
        """A new caller with this name, which has submitted something."""
        caller = Caller(self.lane, submission, name, size, deadline)
        self._all.append(caller)
        return caller

    def ask_each(self, *submissions: S) -> list[Caller[S, O]]:
        """A new caller for each submission, in this order."""
        return [self.ask(submission) for submission in submissions]

    def drain(self) -> None:
        """Drains the lane within SOON seconds; every caller was then answered once."""
        draining = self.start_to_drain()
        draining.join(SOON)
        assert not draining.is_alive(), "it does not come to its end"
        counts = {len(caller.answers) for caller in self._all}
        assert counts <= {1}, "answered never, or more than once"

    def start_to_drain(self) -> Thread:
        """A thread on which the lane is drained."""
        draining = Thread(target=self.lane.drain, daemon=True)
        draining.start()
        return draining


class Hold:
    """A gate for work: usually open; a test closes it to make callers wait."""

    def __init__(self) -> None:
        self._begun = Event()
        self._free = Event()
        self._free.set()

    def passed(self) -> None:
        """Work arrives, and goes on when the gate is open."""
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
