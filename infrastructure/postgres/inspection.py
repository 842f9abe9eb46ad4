"""What a database must fulfil before the service starts on it; checked once.

Otherwise a problem would appear later, during calls and far from its cause.
"""

from dataclasses import dataclass
from typing import Any

import structlog
from psycopg import Connection, Error

from infrastructure.postgres.connection import BoundedConnection, with_network_guards
from infrastructure.postgres.explanations import (
    close_connections,
    find_the_primary,
    make_a_database,
    make_writable,
    not_connected,
)
from infrastructure.postgres.place import Place, holds_a_bare_separator
from infrastructure.postgres.unusable import DatabaseUnusable

LEAST_VERSION = 170000  # server_version_num of 17, the first with transaction_timeout

_FACTS = """
    SELECT current_setting('server_encoding'), pg_is_in_recovery(),
           current_setting('transaction_read_only')::boolean, pg_backend_pid(),
           least(
               current_setting('max_connections')::integer
               - current_setting('superuser_reserved_connections')::integer
               - current_setting('reserved_connections')::integer,
               nullif((SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), -1),
               nullif((SELECT datconnlimit FROM pg_database
                       WHERE datname = current_database()), -1)
           )
"""
_QUOTE = (
    "python3 -c 'import getpass, urllib.parse;"
    ' print(urllib.parse.quote(getpass.getpass(), safe=""))\''
)
_BACKEND = "SELECT pg_backend_pid()"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Inspected:
    """A database that the service can use; `allowed` is how many connections this role may have."""

    version: str
    place: Place
    allowed: int


def inspect(dsn: str, connections: int) -> Inspected:
    """Checks that the service can use a database with this many connections.

    Too few connections are only logged: other clients may not use all of theirs.
    Raises DatabaseUnusable.
    """
    if holds_a_bare_separator(dsn):
        raise DatabaseUnusable(
            "The database's URL holds more than one @, or an @ after its host",
            "In a user or a password, write %40 for @, and %2F for /; this writes it so",
            _QUOTE,
        )
    guarded = with_network_guards(dsn)
    try:
        with BoundedConnection.connect(guarded, autocommit=True) as connection:
            place = Place.of(connection)
            version = connection.info.server_version
            _check_version(version, place)
            found = Inspected(_text(version), place, _check_facts(connection, guarded, place))
    except Error as refused:
        raise not_connected(refused, Place.asked_for(dsn)) from refused
    if connections > found.allowed:
        remedy = close_connections(place)
        _log.warning(
            "too few connections",
            needed=connections,
            allowed=found.allowed,
            remedy=f"fewer --workers, or: {remedy.advice}: {remedy.command}",
        )
    return found


def _text(version: int) -> str:
    return f"{version // 10000}.{version % 10000}"


def _check_version(version: int, place: Place) -> None:
    if version < LEAST_VERSION:
        raise DatabaseUnusable(
            f"PostgreSQL at {place} is version {_text(version)}; 17 or newer is needed: it is the"
            " first that frees the append lock of a frozen client",
            "Upgrade it, on the server",
            "pg_upgrade --help",
        )


def _check_facts(connection: Connection[Any], dsn: str, place: Place) -> int:
    """Refuses what the service cannot use; returns how many connections this role may have."""
    [facts] = connection.execute(_FACTS).fetchall()
    encoding, is_standby, is_read_only, pid, allowed = facts
    if encoding != "UTF8":
        raise DatabaseUnusable(
            f"The database at {place} keeps text as {encoding}, and workflows have text of all"
            " languages: UTF8 is needed",
            *make_a_database("Create another one", place, "NAME"),
        )
    if is_standby:
        raise DatabaseUnusable(
            f"PostgreSQL at {place} is a standby, and the service writes", *find_the_primary(place)
        )
    if is_read_only:
        raise DatabaseUnusable(
            f"The database at {place} is set to be read-only, and the service writes",
            *make_writable(place),
        )
    # A pooler gives its clients a pid that it made up.
    if pid != connection.info.backend_pid and _shares_backends(connection, dsn):
        raise DatabaseUnusable(
            f"A pooler at {place} gives every transaction another session, and the service keeps"
            " time-outs and plans in its sessions",
            "Name PostgreSQL itself in the database's URL, or set pool_mode = session there, then",
            Place(place.hosts, "pgbouncer", "").sql("RELOAD"),
        )
    return int(allowed)


def _shares_backends(connection: Connection[Any], dsn: str) -> bool:
    """Whether two clients that are connected at the same time share one backend."""
    with BoundedConnection.connect(dsn, autocommit=True) as other:
        for _ in range(3):
            mine, its = (c.execute(_BACKEND).fetchone() for c in (connection, other))
            if mine == its:
                return True
    return False
