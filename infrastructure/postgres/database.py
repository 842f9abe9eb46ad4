"""The database that a service uses: the embedded one, or any PostgreSQL by DSN; migrated."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError

from psycopg import Connection, OperationalError
from psycopg.conninfo import conninfo_to_dict

from infrastructure.postgres.connection import with_network_guards
from infrastructure.postgres.embedded import EmbeddedPostgres, NotReady
from infrastructure.settings import Settings

LEAST_VERSION = 170000  # as the server counts: 17, the first with transaction_timeout


class DatabaseUnusable(Exception):
    """The database cannot be reached, or is too old."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database that answers."""

    dsn: str
    description: str
    data_dir: Path | None


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """The database of the settings; an embedded one runs until the block ends.

    Raises DatabaseUnusable.
    """
    if settings.database_url is None:
        embedded = _start(settings.data_dir)
        try:
            yield Database(embedded.dsn, _describe(embedded.dsn, "embedded"), settings.data_dir)
        finally:
            embedded.stop()
    else:
        dsn = settings.database_url.get_secret_value()
        yield Database(dsn, _describe(dsn, _place(dsn)), None)


def _start(data_dir: Path) -> EmbeddedPostgres:
    try:
        return EmbeddedPostgres(data_dir)
    except NotReady as slow:
        raise DatabaseUnusable(
            f"The embedded PostgreSQL in {data_dir} did not become ready in time. It may still"
            f" recover from a crash: see {data_dir / 'postgres' / 'log'}, and start again."
        ) from slow
    except (OSError, CalledProcessError, AssertionError) as unusable:  # The package asserts.
        reason = unusable.strerror if isinstance(unusable, OSError) else "PostgreSQL did not start"
        raise DatabaseUnusable(
            f"The embedded PostgreSQL cannot use {data_dir}: {reason}."
            f" See {data_dir / 'postgres' / 'log'}, or choose another folder: --data-dir"
        ) from unusable


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
