"""The service as a whole, from its database to its last answer. Read it top to bottom."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infrastructure.address import Address
from infrastructure.postgres.database import Database, DatabaseUnusable, database
from infrastructure.postgres.migrate import migrate
from infrastructure.postgres.stored_functions import SchemaMismatch
from infrastructure.process import port
from infrastructure.process.port import AddressRefused
from infrastructure.process.signals import Stopped, StopSignals
from infrastructure.process.supervisor import Supervisor
from infrastructure.process.worker import serve_alone
from infrastructure.rpc.server import AddressInUse
from infrastructure.settings import Settings
from infrastructure.telemetry.events import Events

REFUSALS = (AddressRefused, AddressInUse, DatabaseUnusable, SchemaMismatch)
"""What ends a start: each is a sentence with a way out."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A service that is ready. `data_dir` is None unless the database is the embedded one."""

    address: str
    database: str
    data_dir: Path | None
    workers: int


def serve(settings: Settings, events: Events, announce: Callable[[Serving], None]) -> None:
    """Serves until a signal asks it to stop; `announce` is called once, when it is ready.

    A signal during the start ends it too. Raises one of REFUSALS.
    """
    with StopSignals() as stop, suppress(Stopped):
        stop.interrupt_start()
        port.check(settings.listen)  # Before a database starts in vain.
        if settings.database_url is None and not (settings.data_dir / "postgres").exists():
            events.preparing(
                f"first start: making a PostgreSQL in {settings.data_dir};"
                " this takes some 10 seconds, once"
            )
        with database(settings, events) as found:
            events.migrated(migrate(found.dsn))
            run = _alone if settings.workers == 1 else _among_workers
            run(settings, found, events, announce, stop)
        events.stopped()


def _alone(
    settings: Settings,
    found: Database,
    events: Events,
    announce: Callable[[Serving], None],
    stop: StopSignals,
) -> None:
    def started(number: int) -> None:
        stop.start_is_over()
        address = str(Address(Address.parse(settings.listen).host, number))
        announce(Serving(address, found.description, found.data_dir, 1))

    serve_alone(settings, found.dsn, events, started, stop)


def _among_workers(
    settings: Settings,
    found: Database,
    events: Events,
    announce: Callable[[Serving], None],
    stop: StopSignals,
) -> None:
    with port.reserved(settings.listen) as address:
        serving = Serving(address, found.description, found.data_dir, settings.workers)
        shared = settings.model_copy(update={"listen": address})
        stop.start_is_over()
        Supervisor(shared, found.dsn, events, lambda: announce(serving), stop).run()
