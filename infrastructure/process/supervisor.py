"""Several server processes on one port: started, restarted when they die, drained together."""

import multiprocessing
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

import structlog

from infrastructure.process.worker import serve_until_told
from infrastructure.rpc.server import AddressInUse
from infrastructure.settings import Settings

RESTART_AFTER = 0.5  # seconds: a worker that cannot start does not burn a processor
DRAIN_WITHIN = 20.0  # seconds: longer than a worker's own grace

_spawn = multiprocessing.get_context("spawn")
_log = structlog.get_logger()


class Supervisor:
    """Keeps a number of workers alive until told to stop."""

    def __init__(self, settings: Settings, dsn: str, started: Callable[[], None]) -> None:
        """`started` is called once, when every worker serves."""
        self._settings = settings
        self._dsn = dsn
        self._started = started
        self._ready = _spawn.Semaphore(0)
        self._workers: list[SpawnProcess] = []
        self._stopping = False

    def run(self) -> None:
        """Serves until SIGTERM or Ctrl-C, then drains every worker."""
        previous = {s: signal.signal(s, self._stop) for s in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._workers = [self._start() for _ in range(self._settings.workers)]
            awaited = self._settings.workers
            while not self._stopping:
                wait([worker.sentinel for worker in self._workers], timeout=0.1)
                self._restart_the_dead()
                while awaited and self._ready.acquire(block=False):
                    awaited -= 1
                    if not awaited:
                        self._started()
            self._drain()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _start(self) -> SpawnProcess:
        # Not daemonic: a worker that is told to stop must be waited for, not killed.
        worker = _spawn.Process(
            target=serve_until_told,
            args=(self._settings, self._dsn, self._ready),
            name="workflows-worker",
        )
        worker.start()
        return worker

    def _restart_the_dead(self) -> None:
        for index, worker in enumerate(self._workers):
            if not worker.is_alive() and not self._stopping:
                _log.warning("worker died", pid=worker.pid, exit_code=worker.exitcode)
                time.sleep(RESTART_AFTER)
                self._workers[index] = self._start()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _drain(self) -> None:
        for worker in self._workers:
            worker.terminate()
        deadline = time.monotonic() + DRAIN_WITHIN
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))
            if worker.is_alive():
                worker.kill()
                worker.join()


@contextmanager
def reserved(address: str) -> Iterator[str]:
    """The address with its port settled, kept from others while workers come and go.

    Raises AddressInUse where something else listens there.
    """
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family) as probe:
        _bind(probe, host, int(port), address)
        settled = probe.getsockname()[1]
    with socket.socket(family) as keeper:
        # Bound but not listening: it takes no connection, and no stranger can take the port.
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _bind(keeper, host, settled, address)
        yield f"{host}:{settled}"


def _bind(probe: socket.socket, host: str, port: int, address: str) -> None:
    try:
        probe.bind((host.strip("[]"), port))
    except OSError as taken:
        raise AddressInUse(address) from taken
