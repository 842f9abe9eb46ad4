"""How far a verification is: each event is hashed once, and folded once."""

from time import monotonic

from application.progress import Progress, Report

_STEPS = 2  # for each event


class Work:
    """Counts what was done, and reports it in events."""

    def __init__(self, report: Report, events: int) -> None:
        self._report = report
        self._events = events
        self._began = monotonic()
        self._hashed = 0
        self._folded = 0

    def hashed(self, events: int) -> None:
        """So many further events were hashed."""
        self._hashed = min(self._hashed + events, self._events)
        self._tell()

    def folded(self, events: int) -> None:
        """So many further events were folded."""
        self._folded = min(self._folded + events, self._events)
        self._tell()

    def _tell(self) -> None:
        done = (self._hashed + self._folded) // _STEPS
        self._report(Progress("verify", done, self._events, done, monotonic() - self._began))
