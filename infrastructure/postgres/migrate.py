"""Numbered SQL files that own every table, applied once and in order; then the functions."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

from psycopg import Connection, Error

from infrastructure.postgres import stored_functions
from infrastructure.postgres.connection import with_network_guards
from infrastructure.postgres.explanations import not_connected, not_migrated
from infrastructure.postgres.place import Place
from infrastructure.postgres.stored_functions import SchemaMismatch
from infrastructure.postgres.unusable import DatabaseUnusable

TURN_WITHIN = 60.0  # seconds to wait for another process that migrates

_LOCK = 5005200
_TRY_LOCK = f"SELECT pg_try_advisory_lock({_LOCK})"
_HOLDER = f"""
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {_LOCK} AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""  # noqa: S608 - a number of ours
_LEDGER_EXISTS = "SELECT to_regclass('schema_migrations') IS NOT NULL"
# Not IF NOT EXISTS: that needs the right to create even if there is nothing to create.
_LEDGER = """
    CREATE TABLE schema_migrations (
        name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
    )
"""
# While the migration waits for a table, it must not block all later users of the table.
_BOUNDS = "SET lock_timeout = '10s'; SET timezone = 'UTC'"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL file."""

    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the file: a file that was applied must not be edited."""
        return sha256(self.sql.encode()).hexdigest()


def available() -> Sequence[Migration]:
    """All migrations, in order."""
    folder = files("infrastructure.postgres") / "migrations"
    found = [
        Migration(file.name, file.read_text())
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return sorted(found, key=lambda migration: migration.name)


def migrate(dsn: str, before: Callable[[Sequence[str]], None] | None = None) -> Sequence[str]:
    """Brings a database to today's schema and returns the names of what it applied.

    If there are any, `before` is called with these names first, since it may take long.
    Any number of processes may do this at once: one works, the others wait and find it done.
    A database that is up to date is only read; this needs no right to create.
    Raises SchemaMismatch if the database was made by other files, or DatabaseUnusable.
    """
    with _connection(dsn) as (connection, place):
        if not _pending(connection):
            return []
        with _turn(connection, place):
            pending = _pending(connection)  # Another process may have migrated meanwhile.
            names = [step.name for step in pending]
            if before is not None and names:
                before(names)
            for step in pending:
                step.apply(connection, place)
            return names


def check_schema(dsn: str) -> None:
    """Raises SchemaMismatch unless the database has today's schema. Changes nothing."""
    with _connection(dsn) as (connection, place):
        missing = [step.name for step in _pending(connection)]
    if missing:
        raise SchemaMismatch(
            f"The database at {place} lacks {', '.join(missing)}", "Run", "workflows migrate"
        )


@contextmanager
def _connection(dsn: str) -> Iterator[tuple[Connection[Any], Place]]:
    """A connection whose statements may take long. Raises DatabaseUnusable, with an explanation."""
    try:
        connection = Connection.connect(with_network_guards(dsn), autocommit=True)
    except Error as refused:
        raise not_connected(refused, Place.asked_for(dsn)) from refused
    with connection:
        place = Place.of(connection)
        try:
            connection.execute(_BOUNDS)
            yield connection, place
        except Error as refused:
            raise not_migrated(refused, place, "a look at the schema") from refused


@dataclass(frozen=True, slots=True)
class _Step:
    """A migration or a function that the database lacks."""

    name: str
    sql: str
    digest: str | None

    def apply(self, connection: Connection[Any], place: Place) -> None:
        try:
            with connection.transaction():
                connection.execute(self.sql.encode())
                if self.digest is not None:
                    connection.execute(
                        "INSERT INTO schema_migrations (name, sha256) VALUES (%s, %s)",
                        (self.name, self.digest),
                    )
        except Error as refused:
            raise not_migrated(refused, place, f"the migration {self.name}") from refused


def _pending(connection: Connection[Any]) -> Sequence[_Step]:
    """What the database lacks, in order. Raises SchemaMismatch if it has unknown ones."""
    recorded = _recorded(connection)
    migrations = available()
    if newer := sorted(recorded.keys() - {migration.name for migration in migrations}):
        raise SchemaMismatch(
            f"This database was migrated by another version of this service, which knows"
            f" {', '.join(newer)}",
            "Start that version or a newer one, or use a new database; this one is",
            "workflows --version",
        )
    for migration in migrations:
        if recorded.get(migration.name, migration.digest) != migration.digest:
            raise SchemaMismatch(
                f"Migration {migration.name} was applied to this database in another form",
                "Use the version of this service that made it, or a new database; this one is",
                "workflows --version",
            )
    steps = [_Step(m.name, m.sql, m.digest) for m in migrations if m.name not in recorded]
    functions = [_Step(f.name, f.sql, None) for f in stored_functions.missing(connection)]
    return [*steps, *functions]


def _recorded(connection: Connection[Any]) -> dict[str, str]:
    """The digests of the migrations that were applied, by name."""
    if connection.execute(_LEDGER_EXISTS).fetchone() != (True,):
        return {}
    rows = connection.execute("SELECT name, sha256 FROM schema_migrations").fetchall()
    return {name: digest for name, digest in rows}  # noqa: C416 - rows are typed as Any


@contextmanager
def _turn(connection: Connection[Any], place: Place) -> Iterator[None]:
    """Takes the migration lock, which one process holds until its connection ends."""
    deadline = time.monotonic() + TURN_WITHIN
    while connection.execute(_TRY_LOCK).fetchone() != (True,):
        if time.monotonic() > deadline:
            holder = connection.execute(_HOLDER).fetchone() or ("unknown",)
            raise DatabaseUnusable(
                f"Another process has been migrating the database at {place} for"
                f" {TURN_WITHIN:.0f} s",
                "Wait until it is done; or, if it is stuck, end its session",
                place.sql(f"SELECT pg_terminate_backend({holder[0]})"),
            )
        time.sleep(0.1)
    if connection.execute(_LEDGER_EXISTS).fetchone() != (True,):
        try:
            connection.execute(_LEDGER)
        except Error as refused:
            raise not_migrated(refused, place, "the table schema_migrations") from refused
    yield
