"""A large database: events and their current-state rows, loaded without the service.

Each chunk is committed by itself, so a load continues an earlier one that was interrupted.
"""

from collections.abc import Callable
from time import monotonic

import psycopg

from tests.benchmarks import growth_rows
from tests.benchmarks.workbench import POSITION, execute, rows, value

CHUNK = 250_000  # rows of a transaction
BLOCK = 100  # rows of a write: a socket takes them at once, and the next ones can be made meanwhile

_TABLES = ("workflow_events", "workflows")
_INDEXES = """
    SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid),
           pg_get_constraintdef(c.oid)
    FROM pg_index AS i LEFT JOIN pg_constraint AS c ON c.conindid = i.indexrelid
    WHERE i.indrelid = ANY (%s::regclass[])
"""


def fill(dsn: str, events: int, big: int, say: Callable[[str], None]) -> None:
    """Loads until the database has this many events; the first `big` ones belong to one user."""
    first = value(dsn, POSITION) + 1
    if first > events:
        return
    say(f"dropping indexes before loading {events - first + 1:,} events")
    rebuild = _drop_indexes(dsn)
    # A long load in one go: more room for WAL, and nothing is promised to anyone before its end.
    execute(dsn, "ALTER SYSTEM SET max_wal_size = '16GB'", "SELECT pg_reload_conf()")
    _load(dsn, first, events, big, say)
    for name, statement in rebuild:
        say(f"building {name} over {events:,} rows")
        execute(dsn, "SET synchronous_commit = off", "SET maintenance_work_mem = '1GB'", statement)
    say("vacuum, analyze, checkpoint")
    execute(dsn, "ALTER SYSTEM RESET max_wal_size", "SELECT pg_reload_conf()")
    for table in _TABLES:
        execute(dsn, f"VACUUM ANALYZE {table}")
    execute(dsn, "CHECKPOINT")


def _load(dsn: str, first: int, last: int, big: int, say: Callable[[str], None]) -> None:
    """Both tables, from one position to another."""
    began = monotonic()
    with _connected(dsn) as events, _connected(dsn) as workflows:
        for start in range(first, last + 1, CHUNK):
            end = min(start + CHUNK - 1, last)
            _copy(events, workflows, range(start, end + 1), big)
            rate = (end - first + 1) / (monotonic() - began)
            say(f"events up to {end:,} of {last:,} are loaded, {rate:,.0f} events/s")


def _copy(
    events: psycopg.Connection, workflows: psycopg.Connection, positions: range, big: int
) -> None:
    """A transaction of each table: two processes of the database load what this one makes."""
    with (
        events.cursor().copy(growth_rows.COPY_EVENTS) as to_events,
        workflows.cursor().copy(growth_rows.COPY_WORKFLOWS) as to_workflows,
    ):
        to_events.write(growth_rows.BEGIN)
        to_workflows.write(growth_rows.BEGIN)
        for start in range(0, len(positions), BLOCK):
            made, folded = growth_rows.block(positions[start : start + BLOCK], big)
            to_events.write(made)
            to_workflows.write(folded)
        to_events.write(growth_rows.END)
        to_workflows.write(growth_rows.END)


def _connected(dsn: str) -> psycopg.Connection:
    return psycopg.connect(dsn, autocommit=True, options="-c synchronous_commit=off")


def _drop_indexes(dsn: str) -> list[tuple[str, str]]:
    """Drops every index of both tables. Returns their names and the statements that make them."""
    again = []
    for table, index, definition, constraint in rows(dsn, _INDEXES, (list(_TABLES),)):
        if constraint:
            execute(dsn, f"ALTER TABLE {table} DROP CONSTRAINT {index}")
            again.append((index, f"ALTER TABLE {table} ADD CONSTRAINT {index} {constraint}"))
        else:
            execute(dsn, f"DROP INDEX {index}")
            again.append((index, definition))
    return again
