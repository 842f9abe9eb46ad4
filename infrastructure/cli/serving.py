"""One server process, from its start to its drain."""

import asyncio
import gc
import signal
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.synchronize import Semaphore

import uvloop

from infrastructure.cli.logs import configure_logs
from infrastructure.settings import Settings
from infrastructure.wiring import running


def serve_one(settings: Settings, dsn: str, started: Callable[[int], None]) -> None:
    """Serves alone on its port until SIGTERM or Ctrl-C. Raises AddressInUse."""
    uvloop.run(_serve(settings, dsn, started, shares_port=False))


def serve_until_told(settings: Settings, dsn: str, ready: Semaphore) -> None:
    """Serves as one of several processes on a port until told, or until the supervisor is gone.

    Releases `ready` once, when it serves.
    """
    configure_logs()
    uvloop.run(_serve(settings, dsn, lambda _: ready.release(), shares_port=True))


async def _serve(
    settings: Settings, dsn: str, started: Callable[[int], None], *, shares_port: bool
) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    if (supervisor := parent_process()) is not None:
        loop.add_reader(supervisor.sentinel, told.set)
    async with running(settings, dsn, shares_port=shares_port) as service:
        # What start-up made stays for good: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 50, 50)
        started(service.port)
        await told.wait()
