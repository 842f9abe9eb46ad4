"""Gathers what the sessions of a process report about the database; logs each change once."""

from threading import Lock
from time import monotonic

import structlog

from application.ports import StoreUnavailable
from infrastructure.postgres.sqlstates import TOO_SLOW
from infrastructure.telemetry.events import Events, InertEvents
from infrastructure.telemetry.observer import InertObserver, Observer

BUSY_EVERY = 10.0  # seconds between two lines about a busy database

_log = structlog.get_logger()


class DatabaseWatch:
    """Passes on what sessions report, to observers and to operators."""

    def __init__(self, observer: Observer | None = None, events: Events | None = None) -> None:
        self._observer = observer or InertObserver()
        self._events = events or InertEvents()
        self._changing = Lock()
        self._busy_until = 0.0

    def opened(self) -> None:
        """A connection was opened."""
        self._observer.session_opened()

    def closed(self, *, lost: bool) -> None:
        """A connection was closed; if it broke or fell silent, the next one may work."""
        self._observer.session_closed(lost=lost)

    def answered(self, seconds: float) -> None:
        """The database answered a question."""
        self._observer.loaded(seconds)

    def refused(self, refusal: StoreUnavailable) -> None:
        """Calls are refused because of the database."""
        if refusal.reason != TOO_SLOW.reason:
            self._events.database_lost(refusal.why)
            return
        with self._changing:
            now = monotonic()
            news, self._busy_until = now > self._busy_until, max(self._busy_until, now + BUSY_EVERY)
        if news:
            _log.warning("database busy", why=refusal.why)

    def well(self) -> None:
        """The database works again: it does everything that the service needs."""
        self._events.database_back()
