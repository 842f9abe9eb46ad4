"""What a database must fulfil before the service starts on it; checked once.

Otherwise a problem would appear later, during calls and far from its cause.
"""

from dataclasses import dataclass
from typing import Any

import structlog
from psycopg import Connection, Error

from infrastructure.postgres.connection import BoundedConnection, with_network_guards
from infrastructure.postgres.explanations import not_connected
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
_BACKEND = "SELECT pg_backend_pid()"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Inspected:
    """A database that the service can use."""

    version: str
    place: Place


def inspect(dsn: str, connections: int) -> Inspected:
    """Checks that the service can use a database with this many connections.

    Too few connections are only logged: other clients may not use all of theirs.
    Raises DatabaseUnusable.
    """
    if holds_a_bare_separator(dsn):
        raise DatabaseUnusable(
            "The database's URL holds more than one @, or an @ after its host. In a user or a"
            " password, write %40 for @, and %2F for /"
        )
    guarded = with_network_guards(dsn)
    try:
        with BoundedConnection.connect(guarded, autocommit=True) as connection:
            place = Place.of(connection)
            _check_version(connection.info.server_version, place)
            _check_facts(connection, guarded, place, connections)
            return Inspected(_text(connection.info.server_version), place)
    except Error as refused:
        raise not_connected(refused, Place.asked_for(dsn)) from refused


def _text(version: int) -> str:
    return f"{version // 10000}.{version % 10000}"


def _check_version(version: int, place: Place) -> None:
    if version < LEAST_VERSION:
        raise DatabaseUnusable(
            f"PostgreSQL at {place} is version {_text(version)}; 17 or newer is needed: it is the"
            " first that frees the append lock of a frozen client. Upgrade it: pg_upgrade"
        )


def _check_facts(connection: Connection[Any], dsn: str, place: Place, connections: int) -> None:
    [facts] = connection.execute(_FACTS).fetchall()
    encoding, is_standby, is_read_only, pid, allowed = facts
    if encoding != "UTF8":
        make = place.command("createdb", "-E", "UTF8", "-T", "template0", "NAME")
        raise DatabaseUnusable(
            f"The database at {place} keeps text as {encoding}, and workflows have text of all"
            f" languages: UTF8 is needed. Create another one: {make}"
        )
    if is_standby:
        raise DatabaseUnusable(
            f"PostgreSQL at {place} is a standby, and the service writes. Name the primary in the"
            " database's URL, or all hosts and target_session_attrs=read-write"
        )
    if is_read_only:
        raise DatabaseUnusable(
            f"The database at {place} is set to be read-only, and the service writes. Run:"
            f' ALTER DATABASE "{place.database}" RESET default_transaction_read_only'
        )
    # A pooler gives its clients a pid that it made up.
    if pid != connection.info.backend_pid and _shares_backends(connection, dsn):
        raise DatabaseUnusable(
            f"A pooler at {place} gives every transaction another session, and the service keeps"
            " time-outs and plans in its sessions. Set pool_mode = session there, or name"
            " PostgreSQL itself in the database's URL"
        )
    if connections > allowed:
        _log.warning(
            "too few connections",
            needed=connections,
            allowed=allowed,
            remedy="fewer --workers, or a higher max_connections (of the server, role or database)",
        )


def _shares_backends(connection: Connection[Any], dsn: str) -> bool:
    """Whether two clients that are connected at the same time share one backend."""
    with BoundedConnection.connect(dsn, autocommit=True) as other:
        for _ in range(3):
            mine, its = (c.execute(_BACKEND).fetchone() for c in (connection, other))
            if mine == its:
                return True
    return False
