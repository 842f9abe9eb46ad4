"""Reports of a worker to its supervisor, through a pipe: it serves, its threads run, its events."""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from infrastructure.telemetry.events import Events

REPORT_EVERY = 1.0  # seconds
MOST_WAITING = 100  # reports; bounds the memory if the supervisor does not read

SERVING = "serving"
RUNNING = "running"
STOPPING = "stopping"


class Reporter:
    """The worker's side: an Events that sends what it is given, from a thread of its own.

    A report that cannot be sent is dropped: nothing that serves waits for the supervisor.
    """

    def __init__(self, pipe: Connection, runs: Callable[[], bool] = lambda: True) -> None:
        """`runs` returns whether every thread of the service works; if so, it is reported."""
        self._pipe = pipe
        self.runs = runs
        self._waiting: deque[tuple[Any, ...]] = deque(maxlen=MOST_WAITING)
        self._news = Event()
        self._ended = False
        self._thread = Thread(target=self._send, name="reports", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended = True
        self._news.set()
        self._thread.join(REPORT_EVERY)

    def serving(self) -> None:
        """The worker takes calls from now on."""
        self._report(SERVING)

    def preparing(self, what: str) -> None:
        """See Events."""
        self._report("preparing", what)

    def migrated(self, applied: Sequence[str]) -> None:
        """See Events."""
        self._report("migrated", applied)

    def database_lost(self, why: str) -> None:
        """See Events."""
        self._report("database_lost", why)

    def database_back(self) -> None:
        """See Events."""
        self._report("database_back")

    def not_ready(self, why: str) -> None:
        """See Events."""
        self._report("not_ready", why)

    def ready(self) -> None:
        """See Events."""
        self._report("ready")

    def worker_died(self, pid: int, why: str, again_in: float) -> None:
        """See Events."""
        self._report("worker_died", pid, why, again_in)

    def stopping(self, calls: int) -> None:
        """See Events."""
        self._report(STOPPING, calls)

    def stopped(self) -> None:
        """See Events."""
        self._report("stopped")

    def _report(self, *report: Any) -> None:
        self._waiting.append(report)
        self._news.set()

    def _send(self) -> None:
        with suppress(OSError):  # The supervisor has ended; the worker notices that elsewhere.
            while not self._ended:
                self._news.wait(REPORT_EVERY)
                self._news.clear()
                while self._waiting:
                    self._pipe.send(self._waiting.popleft())
                if self.runs():
                    self._pipe.send((RUNNING,))


def forward(report: tuple[Any, ...], events: Events) -> None:
    """Passes a worker's report to the supervisor's events."""
    name, *details = report
    getattr(events, name)(*details)
