"""The whole examination: first what everything else stands on, then the rest. Read `examine`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import Connection, Error
from psycopg.errors import InsufficientPrivilege

from infrastructure.doctor import credentials, record, rights, surroundings
from infrastructure.doctor.diagnosis import Diagnosis, State
from infrastructure.eventstore.feed import feed_end
from infrastructure.eventstore.horizon import Horizon
from infrastructure.eventstore.probe import Probe
from infrastructure.postgres.connection import connect, with_network_guards
from infrastructure.postgres.database import Database, database
from infrastructure.postgres.explanations import what_to_do
from infrastructure.postgres.migrate import check_schema
from infrastructure.postgres.place import Place
from infrastructure.postgres.session import Session
from infrastructure.postgres.unusable import DatabaseUnusable
from infrastructure.postgres.watch import DatabaseWatch
from infrastructure.proof.logs import logs_of
from infrastructure.settings import Settings
from infrastructure.wiring.followers import names_of
from infrastructure.wiring.store import CONNECTIONS_A_WORKER

DATABASE, SCHEMA, STATEMENTS = "database", "schema", "statements"


def examine(settings: Settings, now: Callable[[], datetime]) -> Iterator[Diagnosis]:
    """Looks at the database of the settings, and at what a service on it needs.

    What cannot be asked because something before it is ill is left out. An embedded database is
    started if nobody runs it, and never made. Nothing is written but the time of the last look.
    """
    yield from credentials.examine(settings, now)
    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        seen = f"there is none in {settings.data_dir} yet"
        remedy = ("The first start makes it", "workflows serve")
        yield Diagnosis(DATABASE, State.ILL, seen, *remedy)
        return
    try:
        with database(settings) as found:
            yield Diagnosis(DATABASE, State.WELL, found.description)
            yield from _of_database(settings, found, now)
    except DatabaseUnusable as refused:
        yield Diagnosis.of(DATABASE, refused)
    except Error as lost:
        said = str(lost).strip().partition("\n")[0]
        seen = f"it was lost while it was examined: {said}"
        yield Diagnosis(DATABASE, State.ILL, seen, "Ask again", "workflows doctor")


def _of_database(
    settings: Settings, found: Database, now: Callable[[], datetime]
) -> Iterator[Diagnosis]:
    place = replace(found.inspected.place, data_dir=found.data_dir)
    embedded = found.data_dir is not None
    with closing(connect(with_network_guards(found.dsn))) as connection:
        yield surroundings.clock(connection, now)
        needed = settings.workers * CONNECTIONS_A_WORKER
        yield surroundings.connections(connection, place, needed, found.inspected.allowed)
        yield from surroundings.disks(connection, _folders(settings), embedded=embedded)
        try:
            check_schema(found.dsn)
        except DatabaseUnusable as refused:
            yield Diagnosis.of(SCHEMA, refused)
            return
        yield Diagnosis(SCHEMA, State.WELL, "today's")
        yield rights.examine(connection, place, embedded=embedded)
        yield _statements(found.dsn, place)
        yield from _record(settings, connection, place)


def _record(settings: Settings, connection: Connection[Any], place: Place) -> Iterator[Diagnosis]:
    """Followers and checkpoints; nothing if this role may not read the tables."""
    # A role that may not read these was told so under rights.
    with suppress(InsufficientPrivilege):
        [(time,)] = connection.execute("SELECT clock_timestamp()").fetchall()
        yield from record.followers(connection, names_of(settings), time, place)
        logs = logs_of(settings)
        yield record.checkpoints(connection, logs, feed_end(connection), time, settings.log_every)


def _statements(dsn: str, place: Place) -> Diagnosis:
    """The statements that readiness tries, on a session as the service has it."""
    horizon = Horizon()
    with closing(Session(with_network_guards(dsn), greet=horizon.look)) as session:
        refused = Probe(session, horizon, DatabaseWatch()).obstacle()
    if refused is None:
        return Diagnosis(STATEMENTS, State.WELL, "reads, an append and a commit work")
    return Diagnosis(STATEMENTS, State.ILL, refused.why, *what_to_do(refused.reason, place))


def _folders(settings: Settings) -> Sequence[Path]:
    """The folders in which this installation keeps something, one for each disk."""
    logs = logs_of(settings)
    kept = [] if logs is None or not logs.root.exists() else [logs.root]
    folders = [settings.data_dir, *kept] if settings.database_url is None else kept
    return list({folder.stat().st_dev: folder for folder in reversed(folders)}.values())
