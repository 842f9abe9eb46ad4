"""A database that has seen much: events and their current-state rows, loaded without the service.

Each workflow has one event, in the stored form that the service writes; ids are made from
positions, so that both tables can be filled at the same time.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg

from application.ports import Origin, Recorded
from domain.events import Created
from infrastructure.eventstore import stored_form
from infrastructure.readmodel.rows import SHAPE
from tests.benchmarks import bodies
from tests.benchmarks.workbench import POSITION, Workbench, execute, rows, value

BIG_USER = "user-0"
"""The owner of the first workflows, as many as `fill` is told."""

USERS = 10_000  # who share the others
CHUNK = 250_000  # rows of one statement
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)

_TABLES = ("workflow_events", "workflows")
_ID = """(lpad(to_hex(1760000000000 + n), 12, '0') || '7' || lpad(to_hex(mod(n, 4096)), 3, '0')
           || '8' || substr(md5(n::text), 1, 15))::uuid"""
_EVENT = "convert_to(replace(replace(%(event)s, '@USER@', u.id), '@NUMBER@', n::text), 'UTF8')"
_NUMBERS = f"""
    generate_series(%(first)s::bigint, %(last)s::bigint) AS n, LATERAL (
        SELECT 'user-' || CASE WHEN n <= %(big)s THEN 0 ELSE 1 + mod(n, {USERS}) END AS id
    ) AS u
"""
_FILL_EVENTS = f"""
    INSERT INTO workflow_events (
        originator_id, originator_version, notification_id, append_id, topic, state
    )
    SELECT {_ID}, 1, n, '00000000-0000-7000-8000-000000000000',
           'created.v1', {_EVENT}
    FROM {_NUMBERS}
"""
_FILL_ROWS = f"""
    INSERT INTO workflows (
        id, user_id, name, name_folded, payload, kind, interval_minutes, max_failures,
        log_retention, build_status, failures, generation, created_at, updated_at, version,
        position, created_position, digest, shape
    )
    SELECT {_ID}, u.id, 'Report ' || n, 'report ' || n, %(payload)s, 'http', 60,
           {bodies.MAX_FAILURES}, false, 'pending', 0, 1, %(moment)s, %(moment)s, 1, n, n,
           sha256({_EVENT}), {SHAPE}
    FROM {_NUMBERS}
"""
_INDEXES = """
    SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid),
           pg_get_constraintdef(c.oid)
    FROM pg_index AS i LEFT JOIN pg_constraint AS c ON c.conindid = i.indexrelid
    WHERE i.indrelid = ANY (%s::regclass[])
"""


def fill(bench: Workbench, dsn: str, events: int) -> None:
    """Loads until the database has seen so many events, the first ones of BIG_USER."""
    first = value(dsn, POSITION) + 1
    if first > events:
        return
    loading = {
        "big": bench.sizes.stored[0],
        "event": _event(),
        "payload": bodies.PAYLOAD,
        "moment": MOMENT,
    }
    bench.say(f"dropping indexes before loading {events - first + 1:,} events")
    rebuild = _drop_indexes(dsn)
    # A long load in one go: more room for WAL, and nothing is promised to anyone before its end.
    execute(dsn, "ALTER SYSTEM SET max_wal_size = '16GB'")
    execute(dsn, "SELECT pg_reload_conf()")
    for start, end in _chunks(first, events):
        bench.say(f"loading events {start:,} to {end:,}")
        parameters = {**loading, "first": start, "last": end}
        with ThreadPoolExecutor(2) as threads:
            fills = (_FILL_EVENTS, _FILL_ROWS)
            for loaded in [threads.submit(_load, dsn, fill, parameters) for fill in fills]:
                loaded.result()
    for name, statement in rebuild:
        bench.say(f"building {name} over {events:,} rows")
        _load(dsn, statement, {})
    bench.say("vacuum, analyze, checkpoint")
    execute(dsn, "ALTER SYSTEM RESET max_wal_size")
    execute(dsn, "SELECT pg_reload_conf()")
    for table in _TABLES:
        execute(dsn, f"VACUUM ANALYZE {table}")
    execute(dsn, "CHECKPOINT")


def _event() -> str:
    """The stored form of a creation, with its user and its number left open."""
    created = Created(
        user_id="@USER@",
        name="Report @NUMBER@",
        payload=bodies.PAYLOAD,
        kind="http",
        interval=60,
        max_failures=bodies.MAX_FAILURES,
        log_retention=False,
        at=MOMENT,
    )
    recorded = Recorded(created, Origin("anonymous", "request-@NUMBER@"), "")
    return stored_form.write(recorded, b"", MOMENT).decode()


def _drop_indexes(dsn: str) -> list[tuple[str, str]]:
    """Drops every index of both tables, and answers with the names and how to make them again."""
    again = []
    for table, index, definition, constraint in rows(dsn, _INDEXES, (list(_TABLES),)):
        if constraint:
            execute(dsn, f"ALTER TABLE {table} DROP CONSTRAINT {index}")
            again.append((index, f"ALTER TABLE {table} ADD CONSTRAINT {index} {constraint}"))
        else:
            execute(dsn, f"DROP INDEX {index}")
            again.append((index, definition))
    return again


def _load(dsn: str, statement: str, parameters: dict[str, object]) -> None:
    with psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '1GB'")
        connection.execute(statement, parameters or None)


def _chunks(first: int, last: int) -> Iterator[Sequence[int]]:
    for start in range(first, last + 1, CHUNK):
        yield start, min(start + CHUNK - 1, last)
