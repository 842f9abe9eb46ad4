"""One server process, from its start to its drain."""

import gc
import signal
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Semaphore
from threading import Event, Thread

from infrastructure.settings import Settings
from infrastructure.telemetry.logs import configure_logs
from infrastructure.wiring import running


def serve_one(settings: Settings, dsn: str, started: Callable[[int], None]) -> None:
    """Serves alone on its port until SIGTERM or Ctrl-C. Raises AddressInUse."""
    _serve(settings, dsn, started, shares_port=False)


def serve_until_told(settings: Settings, dsn: str, ready: Semaphore) -> None:
    """Serves as one of several processes on a port until told, or until the supervisor is gone.

    Releases `ready` once, when it serves.
    """
    configure_logs()
    _serve(settings, dsn, lambda _: ready.release(), shares_port=True)


def _serve(
    settings: Settings, dsn: str, started: Callable[[int], None], *, shares_port: bool
) -> None:
    told = Event()
    previous = {
        number: signal.signal(number, lambda *_: told.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    if (supervisor := parent_process()) is not None:
        Thread(target=_outlive, args=(supervisor, told), daemon=True).start()
    try:
        with running(settings, dsn, shares_port=shares_port) as port:
            # What start-up made stays for good: the collector need not walk it again and again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(20_000, 50, 50)
            started(port)
            told.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _outlive(supervisor: BaseProcess, told: Event) -> None:
    """Tells a worker to stop once its supervisor is gone."""
    supervisor.join()
    told.set()
