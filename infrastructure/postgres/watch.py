"""What all sessions of a process tell about their database: an event each time it changes."""

from infrastructure.telemetry.events import Events, InertEvents
from infrastructure.telemetry.observer import InertObserver, Observer


class DatabaseWatch:
    """Passes on what sessions meet, to those who observe and to those who read events."""

    def __init__(self, observer: Observer | None = None, events: Events | None = None) -> None:
        self._observer = observer or InertObserver()
        self._events = events or InertEvents()

    def lost(self) -> None:
        """A connection broke or fell silent; the next one may be well."""
        self._observer.session_lost()

    def failed(self, why: str) -> None:
        """Calls are refused because of the database."""
        self._events.database_lost(why)

    def connected(self) -> None:
        """A new connection was accepted."""
        self._events.database_back()
