"""Readiness: the service is ready if and only if the database does what the service lives on."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from infrastructure.eventstore.horizon import Horizon
from infrastructure.eventstore.probe import Probe
from infrastructure.postgres import connection
from infrastructure.postgres.session import Session
from infrastructure.postgres.watch import DatabaseWatch
from tests.faults.read_only import turn_read_only, turn_writable
from tests.faults.writers import writer
from tests.support.database import execute, value
from tests.support.given import create
from tests.support.readiness import is_ready
from tests.support.service import Service
from tests.support.waiting import until


@pytest.fixture
def probe(database: str) -> Iterator[Probe]:
    """A probe on a session that is open."""
    horizon = Horizon()
    with closing(Session(database, greet=horizon.look)) as session:
        session.connection()
        yield Probe(session, horizon, DatabaseWatch())


def why(probe: Probe) -> tuple[str, bool]:
    obstacle = probe.obstacle()
    assert obstacle is not None
    return obstacle.reason, obstacle.lasting


def test_a_database_that_does_its_work_is_no_obstacle_and_stays_as_it_is(
    probe: Probe, database: str
) -> None:
    with writer(database) as commands:
        commands.done(create())
    assert probe.obstacle() is None
    assert value(database, "SELECT count(*) FROM workflow_events") == 1


@pytest.mark.parametrize(
    ("no", "yes", "expected"),
    [
        pytest.param(
            "ALTER FUNCTION append_events_v1 RENAME TO append_events_v0",
            "ALTER FUNCTION append_events_v0 RENAME TO append_events_v1",
            ("STORE_SCHEMA", True),
            id="function missing",
        ),
        pytest.param(
            "ALTER TABLE command_ledger RENAME TO ledger",
            "ALTER TABLE ledger RENAME TO command_ledger",
            ("STORE_SCHEMA", True),
            id="table missing",
        ),
        pytest.param(
            "UPDATE feed_epoch SET epoch = epoch",
            "UPDATE feed_epoch SET epoch = epoch",
            None,
            id="nothing",
        ),
    ],
)
def test_what_the_service_lives_on_is_tried(
    probe: Probe, database: str, no: str, yes: str, expected: tuple[str, bool] | None
) -> None:
    execute(database, no)
    try:
        assert (why(probe) if expected else probe.obstacle()) == expected
    finally:
        execute(database, yes)
    assert probe.obstacle() is None


def test_a_right_that_is_missing_is_an_obstacle(database: str) -> None:
    execute(
        database,
        "CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    )
    horizon = Horizon()
    dsn = psycopg.conninfo.make_conninfo(database, options="-c role=reader")
    try:
        with closing(Session(dsn, greet=horizon.look)) as session:
            assert why(Probe(session, horizon, DatabaseWatch())) == ("STORE_FORBIDS", True)
    finally:
        execute(database, "DROP OWNED BY reader; DROP ROLE reader")


def test_a_table_that_cannot_be_written_for_a_lock_is_a_passing_obstacle(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_GUARDS", ["SET lock_timeout = '100ms'"])
    horizon = Horizon()
    with closing(Session(database, greet=horizon.look)) as session:
        with psycopg.connect(database) as holder:
            holder.execute("LOCK TABLE workflow_events IN SHARE MODE")
            assert why(Probe(session, horizon, DatabaseWatch())) == ("STORE_BUSY", False)
        assert Probe(session, horizon, DatabaseWatch()).obstacle() is None


def test_a_service_on_a_database_that_turned_read_only_is_not_ready_until_it_writes_again(
    database: str,
) -> None:
    with Service("--database-url", database) as service:
        until(lambda: is_ready(service.client))
        turn_read_only(database)
        try:
            _end_sessions(database)
            until(lambda: not is_ready(service.client), within=10)
        finally:
            turn_writable(database)
        until(lambda: is_ready(service.client), within=20)
        lines = service.log()
    assert lines.count('"not ready"') == 1
    assert "read-only" in lines


def _end_sessions(database: str) -> None:
    execute(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
