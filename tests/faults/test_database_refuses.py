"""The database says no to the write road: in a word for machines, soon, and without a lie."""

import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from application.draft import Done
from application.ports import StoreUnavailable
from tests.faults.proxy import Proxy
from tests.faults.read_only import turn_read_only, turn_writable
from tests.faults.writers import Writer, event_store, writer
from tests.support.database import execute, value
from tests.support.given import ID, OTHER_ID, create, increment
from tests.support.records import assert_consistent, events_of

SOON = 4.0  # seconds
MEBIBYTE = 1024 * 1024
SLOW = 500_000  # bytes a second: a megabyte that is stored twice takes longer than silence may


def refusal(outcome: object) -> StoreUnavailable:
    assert isinstance(outcome, StoreUnavailable), outcome
    return outcome


@pytest.fixture
def held(database: str) -> Iterator[None]:
    """What CREATE INDEX holds while it works."""
    with psycopg.connect(database) as holder:
        holder.execute("LOCK TABLE workflow_events IN SHARE MODE")
        yield


@pytest.mark.usefixtures("held")
def test_a_lock_that_is_held_on_a_table_ends_as_busy_and_soon(database: str) -> None:
    with writer(database) as commands:
        began = time.monotonic()
        refused = refusal(commands.write(create())[0])
        assert time.monotonic() - began < SOON
    assert (refused.reason, refused.retry) == ("STORE_BUSY", True)


def test_a_server_that_turned_read_only_is_left_for_one_that_writes(database: str) -> None:
    with event_store(database) as store:
        commands = Writer(store)
        commands.done(create())
        store._session.connection().execute("SET default_transaction_read_only = on")
        refused = refusal(commands.write(increment())[0])
        assert (refused.reason, refused.retry) == ("STORE_READ_ONLY", True)
        assert isinstance(commands.write(increment())[0], Done)
    assert events_of(database, ID) == ["created", "failure_incremented"]


def test_no_session_begins_on_a_server_that_takes_no_writes(database: str) -> None:
    with writer(database) as commands:
        turn_read_only(database)
        try:
            refused = refusal(commands.write(create())[0])
        finally:
            turn_writable(database)
    assert (refused.reason, refused.retry) == ("STORE_READ_ONLY", True)


@pytest.mark.parametrize(
    ("no", "yes", "reason"),
    [
        (
            "ALTER FUNCTION append_events_v1 RENAME TO append_events_v0",
            "ALTER FUNCTION append_events_v0 RENAME TO append_events_v1",
            "STORE_SCHEMA",
        ),
        (
            "ALTER TABLE workflows RENAME COLUMN kind TO sort",
            "ALTER TABLE workflows RENAME COLUMN sort TO kind",
            "STORE_SCHEMA",
        ),
    ],
    ids=["function missing", "column missing"],
)
def test_a_schema_that_does_not_fit_is_no_outage_that_passes(
    database: str, no: str, yes: str, reason: str
) -> None:
    with writer(database) as commands:
        execute(database, no)
        try:
            refused = refusal(commands.write(create())[0])
        finally:
            execute(database, yes)
        assert (refused.reason, refused.retry) == (reason, False)
        assert isinstance(commands.write(create())[0], Done)


def test_a_revoked_right_is_reported_as_one(database: str) -> None:
    execute(database, "CREATE ROLE clerk LOGIN; GRANT SELECT ON feed_epoch TO clerk")
    try:
        with writer(psycopg.conninfo.make_conninfo(database, options="-c role=clerk")) as commands:
            refused = refusal(commands.write(create())[0])
    finally:
        execute(database, "DROP OWNED BY clerk; DROP ROLE clerk")
    assert (refused.reason, refused.retry) == ("STORE_FORBIDS", False)


def test_statements_whose_columns_changed_are_planned_anew_at_once(database: str) -> None:
    with writer(database) as commands:
        commands.done(create(max_consecutive_job_failures_allowed=100))
        for _ in range(6):
            commands.done(increment())
        execute(database, "ALTER TABLE workflows ALTER COLUMN build_status TYPE varchar(64)")
        try:
            commands.done(increment(), create(id=OTHER_ID))
        finally:
            execute(
                database, 'ALTER TABLE workflows ALTER COLUMN build_status TYPE text COLLATE "C"'
            )


def test_a_large_payload_takes_its_time_on_a_slow_line(database: str) -> None:
    payload = '{"url": "https://example.com/hook", "body": "' + "x" * (MEBIBYTE - 64) + '"}'
    with closing(Proxy(database, SLOW)) as proxy, writer(proxy.dsn) as commands:
        commands.done(create())
        (done,) = commands.done(create(id=OTHER_ID, payload=payload))
    assert done.position == 2
    assert_consistent(database)


def test_text_of_any_script_is_stored_whatever_encoding_a_client_asks_for(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with writer(psycopg.conninfo.make_conninfo(database, client_encoding="LATIN1")) as commands:
        commands.done(create(name="Nächtlich 🚀"))
    assert value(database, "SELECT name FROM workflows") == "Nächtlich 🚀"
