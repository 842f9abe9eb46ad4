"""The database that a service uses: the embedded one, or any PostgreSQL by DSN."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection, OperationalError
from psycopg.conninfo import conninfo_to_dict

from infrastructure.postgres.connection import with_network_guards
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.unusable import DatabaseUnusable
from infrastructure.settings import Settings
from infrastructure.telemetry.events import Events

__all__ = ["Database", "DatabaseUnusable", "database"]

LEAST_VERSION = 170000  # as the server counts: 17, the first with transaction_timeout


@dataclass(frozen=True, slots=True)
class Database:
    """A database that answers."""

    dsn: str
    description: str
    data_dir: Path | None


@contextmanager
def database(settings: Settings, events: Events | None = None) -> Iterator[Database]:
    """The database of the settings; an embedded one runs until the block ends.

    Raises DatabaseUnusable.
    """
    if settings.database_url is None:
        _forget_the_shell()
        embedded = EmbeddedPostgres(settings.data_dir, events=events)
        try:
            yield Database(embedded.dsn, _describe(embedded.dsn, "embedded"), settings.data_dir)
        finally:
            embedded.stop()
    else:
        dsn = settings.database_url.get_secret_value()
        yield Database(dsn, _describe(dsn, _place(dsn)), None)


def _forget_the_shell() -> None:
    """Removes libpq's variables from this process: some of them are no part of any DSN."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def _describe(dsn: str, place: str) -> str:
    """The server's version and place."""
    try:
        with Connection.connect(with_network_guards(dsn)) as connection:
            version = connection.info.server_version
    except OperationalError as unreachable:
        raise DatabaseUnusable(
            f"PostgreSQL at {_place(dsn)} cannot be reached: is it running, and are"
            " WORKFLOWS_DATABASE_URL's host, port, user and password right?"
        ) from unreachable
    if version < LEAST_VERSION:
        raise DatabaseUnusable(
            f"PostgreSQL at {_place(dsn)} is version {version // 10000}; 17 or newer is needed:"
            " it is the first that frees the append lock of a frozen client."
        )
    return f"PostgreSQL {version // 10000}.{version % 10000}, {place}"


def _place(dsn: str) -> str:
    """Where a DSN points, without its password."""
    parts = conninfo_to_dict(dsn)
    host, port, name = (parts.get(k) for k in ("host", "port", "dbname"))
    return f"{host or 'local socket'}:{port or 5432}/{name or 'postgres'}"
