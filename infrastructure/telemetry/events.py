"""What an operator must see: a protocol of events, a body that ignores them, and one that logs.

A module that notices an event calls its method, and does nothing else. An implementation shows a
state once, however often it is reported: a second `database_lost` before a `database_back` is not
shown. It must be quick, must be safe on any thread, and must not raise.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any, Protocol

import structlog


class Events(Protocol):
    """Receives what happens to the service as a whole. Texts are sentences without a full stop."""

    def preparing(self, what: str) -> None:
        """Something starts that may take long, such as making the embedded database."""
        ...

    def migrated(self, applied: Sequence[str]) -> None:
        """The schema was brought up to date by these migrations; nothing is shown for none."""
        ...

    def database_lost(self, why: str) -> None:
        """The database cannot be reached or used."""
        ...

    def database_back(self) -> None:
        """The database can be used again."""
        ...

    def not_ready(self, why: str) -> None:
        """Health answers NOT_SERVING from now on."""
        ...

    def ready(self) -> None:
        """Health answers SERVING from now on."""
        ...

    def worker_died(self, pid: int, why: str, again_in: float) -> None:
        """A server process ended without a stop; another one starts after so many seconds."""
        ...

    def stopping(self, calls: int) -> None:
        """New calls are refused from now on; so many calls are still in flight."""
        ...

    def stopped(self) -> None:
        """Nothing of the service runs any more."""
        ...


class InertEvents:
    """Ignores everything: the default."""

    def preparing(self, what: str) -> None:
        """See Events."""

    def migrated(self, applied: Sequence[str]) -> None:
        """See Events."""

    def database_lost(self, why: str) -> None:
        """See Events."""

    def database_back(self) -> None:
        """See Events."""

    def not_ready(self, why: str) -> None:
        """See Events."""

    def ready(self) -> None:
        """See Events."""

    def worker_died(self, pid: int, why: str, again_in: float) -> None:
        """See Events."""

    def stopping(self, calls: int) -> None:
        """See Events."""

    def stopped(self) -> None:
        """See Events."""


class LoggedEvents:
    """One log line for each event: a sentence on a terminal, fields in JSON elsewhere."""

    def __init__(self) -> None:
        self._log: Any = structlog.get_logger()
        self._changing = Lock()
        self._lost = False
        self._unready = False

    def preparing(self, what: str) -> None:
        """See Events."""
        self._log.info("preparing", what=what, sentence=what)

    def migrated(self, applied: Sequence[str]) -> None:
        """See Events."""
        if applied:
            sentence = f"migrated ({', '.join(applied)})"
            self._log.info("migrated", applied=list(applied), sentence=sentence)

    def database_lost(self, why: str) -> None:
        """See Events."""
        with self._changing:
            news, self._lost = not self._lost, True
        if news:
            self._log.warning("database lost", why=why, sentence=f"database lost ({why})")

    def database_back(self) -> None:
        """See Events."""
        with self._changing:
            news, self._lost = self._lost, False
        if news:
            self._log.info("database back")

    def not_ready(self, why: str) -> None:
        """See Events."""
        with self._changing:
            news, self._unready = not self._unready, True
        if news:
            self._log.warning("not ready", why=why, sentence=f"not ready ({why})")

    def ready(self) -> None:
        """See Events."""
        with self._changing:
            news, self._unready = self._unready, False
        if news:
            self._log.info("ready")

    def worker_died(self, pid: int, why: str, again_in: float) -> None:
        """See Events."""
        sentence = f"worker {pid} died ({why}); another one starts in {again_in:g} s"
        self._log.warning("worker died", pid=pid, why=why, again_in=again_in, sentence=sentence)

    def stopping(self, calls: int) -> None:
        """See Events."""
        sentence = f"stopping ({calls} {'call' if calls == 1 else 'calls'} in flight)"
        self._log.info("stopping", calls=calls, sentence=sentence)

    def stopped(self) -> None:
        """See Events."""
        self._log.info("stopped")
