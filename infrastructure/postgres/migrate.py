"""Numbered SQL files that own every table, applied once and in order; then the functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

from psycopg import Connection

from infrastructure.postgres import stored_functions
from infrastructure.postgres.stored_functions import SchemaMismatch

_LOCK = "SELECT pg_advisory_lock(5005200)"
_UNLOCK = "SELECT pg_advisory_unlock(5005200)"
_LEDGER = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


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


def migrate(dsn: str) -> Sequence[str]:
    """Brings a database to today's schema and returns the names of what it applied.

    Any number of processes may do this at once: one works, the others wait and find it done.
    Raises SchemaMismatch if the database was made by other files than these.
    """
    # A migration may take long, and so may the wait for another's: neither is bounded here.
    with Connection.connect(dsn, autocommit=True) as connection:
        connection.execute(_LOCK)
        try:
            connection.execute(_LEDGER)
            applied = [m.name for m in available() if _apply(connection, m)]
            return [*applied, *stored_functions.put_in_place(connection)]
        finally:
            connection.execute(_UNLOCK)


def _apply(connection: Connection[Any], migration: Migration) -> bool:
    row = connection.execute(
        "SELECT sha256 FROM schema_migrations WHERE name = %s", (migration.name,)
    ).fetchone()
    if row is not None:
        if row[0] != migration.digest:
            raise SchemaMismatch(
                f"Migration {migration.name} was applied to this database in another form."
                " Use the version of this service that made it, or a new database."
            )
        return False
    with connection.transaction():
        connection.execute(migration.sql.encode())
        connection.execute(
            "INSERT INTO schema_migrations (name, sha256) VALUES (%s, %s)",
            (migration.name, migration.digest),
        )
    return True
