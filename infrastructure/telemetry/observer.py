"""What the service reports about its own work: a protocol, and an observer that does nothing.

Guard, lanes and store call an observer at the moments named here. Metrics and traces implement this
protocol. An observer must be quick, must be safe on any thread, and must not raise.
"""

from typing import Protocol


class Observer(Protocol):
    """Receives what happens. Seconds are durations, counts are of calls, changes or events."""

    def call_ended(self, method: str, code: str, seconds: float) -> None:
        """A call of a method, by full name, ended with a gRPC status code, by name."""
        ...

    def batch_taken(self, lane: str, waiting: int, taken: int) -> None:
        """A lane took a batch; so many callers waited, so many of them are in the batch."""
        ...

    def batch_finished(self, lane: str, taken: int, seconds: float) -> None:
        """A lane finished a batch."""
        ...

    def appended(self, events: int, seconds: float) -> None:
        """The store recorded events in one append."""
        ...

    def conflicted(self, changes: int) -> None:
        """An append left changes out: their streams had moved on, or their keys were taken."""
        ...

    def settled(self, *, recorded: bool) -> None:
        """An append whose acknowledgement was lost was looked up."""
        ...

    def session_lost(self) -> None:
        """A database connection broke or fell silent."""
        ...


class InertObserver:
    """An observer that ignores everything: the default."""

    def call_ended(self, method: str, code: str, seconds: float) -> None:
        """See Observer."""

    def batch_taken(self, lane: str, waiting: int, taken: int) -> None:
        """See Observer."""

    def batch_finished(self, lane: str, taken: int, seconds: float) -> None:
        """See Observer."""

    def appended(self, events: int, seconds: float) -> None:
        """See Observer."""

    def conflicted(self, changes: int) -> None:
        """See Observer."""

    def settled(self, *, recorded: bool) -> None:
        """See Observer."""

    def session_lost(self) -> None:
        """See Observer."""
