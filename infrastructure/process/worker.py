"""One server process, from its start to its drain."""

import gc
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Thread

from application.ports import StoreUnavailable
from infrastructure.process.lastresort import end_now, end_with_any_thread
from infrastructure.process.reports import Reporter
from infrastructure.process.signals import Stopped, StopSignals
from infrastructure.rpc.server import StopFailed
from infrastructure.settings import Settings
from infrastructure.telemetry.events import Events
from infrastructure.telemetry.logs import configure_logs
from infrastructure.wiring.observing import Observing, observed
from infrastructure.wiring.service import Running, running

TRY_AGAIN_EVERY = 1.0  # seconds between two checks of a database that is lost


def serve_alone(
    settings: Settings,
    dsn: str,
    events: Events,
    started: Callable[[Running], None],
    stop: StopSignals,
) -> None:
    """Serves alone on its ports until it is asked to stop. Raises AddressInUse.

    `started` is called once.
    """
    _serve(settings, dsn, events, started, stop, shares_port=False)


def serve_among_others(
    settings: Settings, dsn: str, reports: Connection, restarts: int = 0
) -> None:
    """Serves as one of several processes on a port, until asked to stop, or until the supervisor
    has ended.

    Reports to the supervisor that it serves, that its threads run, and what happens. `restarts`
    counts the workers that died before.
    """
    configure_logs()
    # Ctrl-C reaches the whole group of processes; the supervisor decides what it means.
    ignored = (signal.SIGINT, signal.SIGHUP)
    with StopSignals(signal.SIGTERM, ignored=ignored) as stop, Reporter(reports) as reporter:
        if (supervisor := parent_process()) is not None:
            Thread(target=_outlive, args=(supervisor, stop), daemon=True).start()

        def started(service: Running) -> None:
            reporter.runs = service.alive
            reporter.serving()

        with suppress(Stopped):
            _serve(settings, dsn, reporter, started, stop, shares_port=True, restarts=restarts)


def _serve(
    settings: Settings,
    dsn: str,
    events: Events,
    started: Callable[[Running], None],
    stop: StopSignals,
    *,
    shares_port: bool,
    restarts: int = 0,
) -> None:
    end_with_any_thread()
    with observed(settings, restarts) as observing:
        _serve_observed(settings, dsn, events, started, stop, observing, shares_port=shares_port)


def _serve_observed(
    settings: Settings,
    dsn: str,
    events: Events,
    started: Callable[[Running], None],
    stop: StopSignals,
    observing: Observing,
    *,
    shares_port: bool,
) -> None:
    while True:
        try:
            with running(
                settings,
                dsn,
                shares_port=shares_port,
                observer=observing.observer,
                events=events,
                hurried=stop.hurried,
                measured=observing.page,
            ) as service:
                events.database_back()
                # What the start made stays for good: the collector need not walk it again.
                gc.collect()
                gc.freeze()
                gc.set_threshold(20_000, 50, 50)
                started(service)
                stop.asked.wait()
                return
        except StopFailed as failed:
            end_now(str(failed))
        except StoreUnavailable as away:
            events.database_lost(str(away))
            if stop.asked.wait(TRY_AGAIN_EVERY):
                raise Stopped from away


def _outlive(supervisor: BaseProcess, stop: StopSignals) -> None:
    """Asks a worker to stop when its supervisor has ended."""
    supervisor.join()
    stop.ask()
