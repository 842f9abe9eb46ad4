"""The service as a whole, from its database to its last answer. Read it top to bottom."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from application.receipts import ReceiptRefused
from infrastructure.address import Address
from infrastructure.catalogue.loading import CatalogueRefused, load
from infrastructure.http.door import DoorAddressInUse
from infrastructure.postgres.database import Database, DatabaseUnusable, database
from infrastructure.postgres.migrate import check_schema, migrate
from infrastructure.postgres.stored_functions import SchemaMismatch
from infrastructure.process import port
from infrastructure.process.port import AddressRefused
from infrastructure.process.signals import Stopped, StopSignals
from infrastructure.process.supervisor import Supervisor
from infrastructure.process.worker import serve_alone
from infrastructure.proof.keys import KeyUnusable
from infrastructure.proof.logs import logs_of
from infrastructure.readmodel.refolding import fold_names_again
from infrastructure.rpc.server import AddressInUse
from infrastructure.settings import Settings
from infrastructure.telemetry.events import Events
from infrastructure.telemetry.metrics import counted_together
from infrastructure.wiring import access, observing
from infrastructure.wiring.service import Running
from infrastructure.wiring.store import CONNECTIONS_A_WORKER

REFUSALS = (
    AddressRefused,
    AddressInUse,
    CatalogueRefused,
    DoorAddressInUse,
    DatabaseUnusable,
    SchemaMismatch,
    ReceiptRefused,
    KeyUnusable,
    *access.REFUSALS,
    observing.TracesRefused,
)
"""Errors that end a start; the text of each explains what to do."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A service that is ready, and its addresses.

    `internal` is None if the public door has all methods, `http` if HTTP is not served. `auth` and
    `encrypted` are as they are set. `data_dir` is None unless the database is the embedded one.
    `log` is the folder of the log of checkpoints, None if none is kept.
    """

    address: str
    internal: str | None
    http: str | None
    auth: str
    encrypted: bool
    database: str
    data_dir: Path | None
    log: Path | None
    workers: int


def serve(settings: Settings, events: Events, announce: Callable[[Serving], None]) -> None:
    """Serves until a signal asks it to stop; `announce` is called once, when it is ready.

    A signal during the start ends it too. Raises one of REFUSALS.
    """
    with StopSignals() as stop, suppress(Stopped):
        stop.interrupt_start()
        for address, flag in _addresses(settings):  # Before a database starts in vain, too.
            port.check(address, flag)
        access.check(settings)
        load(settings.catalogue)
        observing.check(settings)
        connections = settings.workers * CONNECTIONS_A_WORKER
        with database(settings, events, connections=connections) as found:
            _fit_schema(settings, found, events)
            # From here on threads start; it is quick. A signal must not raise in the middle of it.
            stop.start_is_over()
            run = _alone if settings.workers == 1 else _among_workers
            run(settings, found, events, announce, stop)
        events.stopped()


def _fit_schema(settings: Settings, found: Database, events: Events) -> None:
    if not settings.migrate:
        check_schema(found.dsn)
        return
    events.migrated(
        migrate(
            found.dsn,
            lambda names: events.preparing(f"migrating the database: {', '.join(names)}"),
        )
    )
    fold_names_again(found.dsn)


def _alone(
    settings: Settings,
    found: Database,
    events: Events,
    announce: Callable[[Serving], None],
    stop: StopSignals,
) -> None:
    def started(running: Running) -> None:
        announce(
            _serving(
                settings,
                found,
                _with_port(settings.listen, running.port),
                _with_port(settings.internal_listen, running.internal_port),
                _with_port(settings.http_listen, running.http_port),
            )
        )

    serve_alone(settings, found.dsn, events, started, stop)


def _log(settings: Settings) -> Path | None:
    logs = logs_of(settings)
    return logs.root if logs else None


def _serving(
    settings: Settings, found: Database, address: str | None, internal: str | None, http: str | None
) -> Serving:
    return Serving(
        address or settings.listen,
        internal,
        http,
        settings.auth,
        settings.tls_cert is not None,
        found.description,
        found.data_dir,
        _log(settings),
        settings.workers,
    )


def _addresses(settings: Settings) -> list[tuple[str, str]]:
    """The addresses to listen on, each with its flag."""
    wanted = (
        (settings.listen, "--listen"),
        (settings.internal_listen, "--internal-listen"),
        (settings.http_listen, "--http-listen"),
    )
    return [(address, flag) for address, flag in wanted if address is not None]


def _with_port(address: str | None, number: int | None) -> str | None:
    return address and str(Address.parse(address).at(number or 0))


def _among_workers(
    settings: Settings,
    found: Database,
    events: Events,
    announce: Callable[[Serving], None],
    stop: StopSignals,
) -> None:
    with ExitStack() as stack:
        stack.enter_context(counted_together())
        found_at = {
            flag: stack.enter_context(port.reserved(address, flag))
            for address, flag in _addresses(settings)
        }
        listen, internal, http = map(
            found_at.get, ("--listen", "--internal-listen", "--http-listen")
        )
        serving = _serving(settings, found, listen, internal, http)
        shared = settings.model_copy(
            update={"listen": listen, "internal_listen": internal, "http_listen": http}
        )
        Supervisor(shared, found.dsn, events, lambda: announce(serving), stop).run()
