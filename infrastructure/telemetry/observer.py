"""What the service reports about its own work: a protocol, and two bodies of it.

Guard, lanes, store and followers call an observer at the moments named here. Metrics, the log of
calls and traces implement this protocol. An observer must be quick, must be safe on any thread, and
must not raise.
"""

from collections.abc import Sequence
from typing import Protocol

from application.access import Caller
from application.ports import Origin

Metadata = Sequence[tuple[str, str | bytes]]
"""Keys and values that came beside a message. See wire.calls, which this must not know."""


class EndedCall(Protocol):
    """What is known of a call beside its outcome. A log may show all of it but the metadata."""

    @property
    def caller(self) -> Caller:
        """Who called, as the credential proves it."""
        ...

    @property
    def origin(self) -> Origin | None:
        """What is kept with the call's events; None if it can cause none."""
        ...

    @property
    def metadata(self) -> Metadata:
        """What the client sent beside its message: credentials, too."""
        ...

    @property
    def actor(self) -> str:
        """Who called, as events name their actors."""
        ...

    @property
    def request_id(self) -> str:
        """The id that stands with the call's events, or the client's own; empty without either."""
        ...

    @property
    def traceparent(self) -> str:
        """The W3C trace context that came with the call, if it is well-formed; or empty."""
        ...


class Observer(Protocol):
    """Receives what happens. Seconds are durations, counts are of calls, changes or events."""

    def call_ended(self, method: str, code: str, seconds: float, call: EndedCall) -> None:
        """A call of a method, by its full name, ended with a gRPC status code, by name."""
        ...

    def batch_taken(self, lane: str, waiting: int, taken: int, waited: float) -> None:
        """A lane took a batch: so many callers still wait, so many are in the batch.

        The first of them waited so many seconds.
        """
        ...

    def batch_finished(self, lane: str, taken: int, seconds: float) -> None:
        """A lane finished a batch; on the thread that took it."""
        ...

    def appended(self, events: int, seconds: float) -> None:
        """The store recorded events in one append, its commit included."""
        ...

    def loaded(self, seconds: float) -> None:
        """The database answered a question."""
        ...

    def conflicted(self, changes: int) -> None:
        """An append left changes out: their streams had moved on, or their keys were taken."""
        ...

    def settled(self, *, recorded: bool) -> None:
        """An append whose acknowledgement was lost was looked up."""
        ...

    def session_opened(self) -> None:
        """A database connection was opened."""
        ...

    def session_closed(self, *, lost: bool) -> None:
        """A database connection was closed; `lost` if it broke or fell silent."""
        ...

    def followed(self, follower: str, position: int, behind: int) -> None:
        """A follower has handled the feed up to a position; so many events follow it."""
        ...

    def follower_failed(self, follower: str) -> None:
        """A follower could not go on; it is tried again."""
        ...


class InertObserver:
    """An observer that ignores everything: the default."""

    def call_ended(self, method: str, code: str, seconds: float, call: EndedCall) -> None:
        """See Observer."""

    def batch_taken(self, lane: str, waiting: int, taken: int, waited: float) -> None:
        """See Observer."""

    def batch_finished(self, lane: str, taken: int, seconds: float) -> None:
        """See Observer."""

    def appended(self, events: int, seconds: float) -> None:
        """See Observer."""

    def loaded(self, seconds: float) -> None:
        """See Observer."""

    def conflicted(self, changes: int) -> None:
        """See Observer."""

    def settled(self, *, recorded: bool) -> None:
        """See Observer."""

    def session_opened(self) -> None:
        """See Observer."""

    def session_closed(self, *, lost: bool) -> None:
        """See Observer."""

    def followed(self, follower: str, position: int, behind: int) -> None:
        """See Observer."""

    def follower_failed(self, follower: str) -> None:
        """See Observer."""


class SeveralObservers:
    """Passes each moment on to several observers, in their order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def call_ended(self, method: str, code: str, seconds: float, call: EndedCall) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.call_ended(method, code, seconds, call)

    def batch_taken(self, lane: str, waiting: int, taken: int, waited: float) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.batch_taken(lane, waiting, taken, waited)

    def batch_finished(self, lane: str, taken: int, seconds: float) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.batch_finished(lane, taken, seconds)

    def appended(self, events: int, seconds: float) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.appended(events, seconds)

    def loaded(self, seconds: float) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.loaded(seconds)

    def conflicted(self, changes: int) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.conflicted(changes)

    def settled(self, *, recorded: bool) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.settled(recorded=recorded)

    def session_opened(self) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.session_opened()

    def session_closed(self, *, lost: bool) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.session_closed(lost=lost)

    def followed(self, follower: str, position: int, behind: int) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.followed(follower, position, behind)

    def follower_failed(self, follower: str) -> None:
        """See Observer."""
        for observer in self._observers:
            observer.follower_failed(follower)
