"""Several server processes on one port: started, watched, replaced, and stopped together."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from time import monotonic
from typing import Any

from infrastructure.process.reports import RUNNING, SERVING, STOPPING, forward
from infrastructure.process.signals import StopSignals
from infrastructure.process.worker import serve_among_others
from infrastructure.settings import Settings
from infrastructure.telemetry.events import Events
from infrastructure.telemetry.metrics import forget

SILENT_FOR = 15.0  # seconds without a report after which a worker counts as stuck
DRAIN_WITHIN = 20.0  # seconds: longer than a worker's own grace
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a worker that died is started again
HEALTHY_AFTER = 60.0  # seconds of life after which an end does not count as repeated
LOOK_EVERY = 0.2  # seconds

_OURS = {signal.SIGINT, signal.SIGHUP}  # signals that the supervisor alone listens to
_spawn = multiprocessing.get_context("spawn")


@dataclass(slots=True)
class _Worker:
    """A server process, and the time of its last report, by the monotonic clock."""

    process: SpawnProcess
    reports: Connection
    started_at: float
    heard_at: float


@dataclass(slots=True)
class _Place:
    """One of the places for a worker: the worker in it, or the time of the next start."""

    worker: _Worker | None = None
    start_at: float = 0.0
    pause: float = FIRST_PAUSE


class Supervisor:
    """Keeps a fixed count of workers running until it is asked to stop."""

    def __init__(
        self,
        settings: Settings,
        dsn: str,
        events: Events,
        started: Callable[[], None],
        stop: StopSignals,
    ) -> None:
        """`started` is called once, when every worker has served."""
        self._settings = settings
        self._dsn = dsn
        self._events = events
        self._started = started
        self._stop = stop
        self._awaited = settings.workers
        self._restarts = 0
        self._stopping = 0
        self._in_flight = 0
        self._places = [_Place() for _ in range(settings.workers)]

    def run(self) -> None:
        """Serves until it is asked to stop, then drains every worker."""
        try:
            while not self._stop.asked.is_set():
                for place in self._places:
                    self._look_after(place)
                self._listen()
        finally:
            self._drain()

    def _look_after(self, place: _Place) -> None:
        worker, now = place.worker, monotonic()
        if worker is None:
            if now >= place.start_at:
                place.worker = self._start()
        elif not worker.process.is_alive():
            self._replace(place, worker, f"exit code {worker.process.exitcode}")
        elif now - worker.heard_at > SILENT_FOR:
            worker.process.kill()
            worker.process.join()
            self._replace(place, worker, f"it did nothing for {SILENT_FOR:g} s and was killed")

    def _start(self) -> _Worker:
        reports, theirs = _spawn.Pipe(duplex=False)
        # Not daemonic: a worker that was asked to stop must be waited for, not killed.
        process = _spawn.Process(
            target=serve_among_others,
            args=(self._settings, self._dsn, theirs, self._restarts),
            name="workflows-worker",
        )
        # Ctrl-C reaches the whole group; a worker must not meet it before it can ignore it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
        theirs.close()  # The worker has its own; when it ends, the pipe does.
        return _Worker(process, reports, monotonic(), monotonic())

    def _replace(self, place: _Place, worker: _Worker, why: str) -> None:
        now = monotonic()
        if now - worker.started_at > HEALTHY_AFTER:
            place.pause = FIRST_PAUSE
        self._restarts += 1
        forget(worker.process.pid or 0)
        self._events.worker_died(worker.process.pid or 0, why, place.pause)
        worker.reports.close()
        place.worker, place.start_at = None, now + place.pause
        place.pause = min(2 * place.pause, LONGEST_PAUSE)

    def _listen(self) -> None:
        """Takes what workers report; returns at the latest after LOOK_EVERY."""
        talking = [worker for worker in self._workers() if worker.process.is_alive()]
        ready = wait([worker.reports for worker in talking], timeout=LOOK_EVERY) if talking else []
        for worker in talking:
            if worker.reports in ready:
                self._take(worker)
        if not talking:
            self._stop.asked.wait(LOOK_EVERY)

    def _take(self, worker: _Worker) -> None:
        try:
            while worker.reports.poll():
                self._heed(worker, worker.reports.recv())
        except (EOFError, OSError):  # It has ended, or is about to end.
            worker.process.join(LOOK_EVERY)

    def _heed(self, worker: _Worker, report: tuple[Any, ...]) -> None:
        worker.heard_at = monotonic()
        if report[0] == RUNNING:
            return
        if report[0] == STOPPING:
            self._count_stopping(report)
        elif report[0] != SERVING:
            forward(report, self._events)
        elif self._awaited:
            self._awaited -= 1
            if not self._awaited:
                self._started()

    def _count_stopping(self, report: tuple[Any, ...]) -> None:
        """Counts a worker that stops. If all were asked to stop, one event stands for all."""
        self._stopping += 1
        self._in_flight += report[1]
        if self._stop.asked.is_set() and self._stopping == len(self._workers()):
            self._events.stopping(self._in_flight)

    def _workers(self) -> list[_Worker]:
        return [place.worker for place in self._places if place.worker is not None]

    def _drain(self) -> None:
        left = [worker.process for worker in self._workers()]
        for process in left:
            process.terminate()
        deadline = monotonic() + DRAIN_WITHIN
        hurried = False
        while left and monotonic() < deadline:
            if self._stop.hurried.is_set() and not hurried:
                hurried = True
                for process in left:
                    process.terminate()
            self._listen()
            left = _alive(left)
        for process in left:
            process.kill()
            process.join()


def _alive(processes: Sequence[SpawnProcess]) -> list[SpawnProcess]:
    return [process for process in processes if process.is_alive()]
