"""Refusals of PostgreSQL and libpq as sentences: their reason, and what to do about it."""

import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

from psycopg import Error

from infrastructure.postgres.place import Place
from infrastructure.postgres.unusable import DatabaseUnusable

RIGHTS = files("infrastructure.postgres") / "roles.sql"
"""The file of the rights of a service."""


class Remedy(NamedTuple):
    """What to do, and the command that can be typed then."""

    advice: str
    command: str


Remedies = Callable[[Place], Remedy]


def not_connected(error: Error, place: Place) -> DatabaseUnusable:
    """Why there is no connection. libpq's reasons hold no password."""
    reason = _reason(error)
    answered = "FATAL" in reason or "authentication" in reason
    remedy = next(remedy for sign, remedy in _NOT_CONNECTED if re.search(sign, reason))
    verb = "used" if answered else "reached"
    return DatabaseUnusable(
        f"PostgreSQL at {place} cannot be {verb}: {reason.rstrip('.')}", *remedy(place)
    )


def not_migrated(error: Error, place: Place, step: str) -> DatabaseUnusable:
    """Why the schema could not be read or brought up to date; `step` is what was under way."""
    reason = error.diag.message_primary or _reason(error)
    remedy = next(
        (r for states, sign, r in _NOT_MIGRATED if error.sqlstate in states and sign in reason),
        _look,
    )
    return DatabaseUnusable(
        f"PostgreSQL at {place} refuses {step}: {reason.rstrip('.')}", *remedy(place)
    )


def _reason(error: Error) -> str:
    """The text of an error on one line, without what psycopg puts around it."""
    text = str(error)
    _, several, failures = text.partition("All failures were:\n")
    lines = failures.splitlines() if several else [text]
    known = [line.rpartition("connection failed: ")[2].strip(" -") for line in lines]
    first = [line for line in known if line and not line.startswith("\t")]
    return " ".join("; ".join(first if several else known).split())


def what_to_do(reason: str, place: Place) -> Remedy:
    """The remedy of a refusal that callers get with this reason."""
    return _REFUSED.get(reason, _look)(place)


def _look(place: Place) -> Remedy:
    return Remedy("Look from here", place.command("psql", place.database))


def _make_the_database(place: Place) -> Remedy:
    return make_a_database("Create it", place, place.database)


def make_a_database(advice: str, place: Place, name: str) -> Remedy:
    """A new database whose text is UTF8."""
    return Remedy(advice, place.command("createdb", "-E", "UTF8", "-T", "template0", name))


def _set_the_password(place: Place) -> Remedy:
    return Remedy(
        "Correct user and password in the database's URL, or set another password as a superuser",
        place.sql(f"\\password {place.user}"),
    )


def _see_tls(place: Place) -> Remedy:
    host, port = place.hosts[0]
    return Remedy(
        "Fit sslmode and sslrootcert in the database's URL to the server, for example"
        " ?sslmode=verify-full&sslrootcert=system; see what it offers",
        f"openssl s_client -starttls postgres -connect {host}:{port}",
    )


def find_the_primary(place: Place) -> Remedy:
    """The server that takes writes is another one."""
    return Remedy(
        "Name the primary in the database's URL, or all hosts and target_session_attrs=read-write;"
        " a standby knows its primary",
        place.sql("SELECT sender_host, sender_port FROM pg_stat_wal_receiver"),
    )


def make_writable(place: Place) -> Remedy:
    """The database is set so that nobody writes to it."""
    return Remedy(
        "Name the primary in the database's URL, or all hosts and target_session_attrs=read-write;"
        " or, if the database is set to be read-only",
        place.sql(f'ALTER DATABASE "{place.database}" RESET default_transaction_read_only'),
    )


def close_connections(place: Place) -> Remedy:
    """Too few connections are left."""
    return Remedy(
        "Close other connections, or raise max_connections; see whose they are",
        place.sql("SELECT usename, count(*) FROM pg_stat_activity GROUP BY usename"),
    )


def grant_use(place: Place) -> Remedy:
    """The role lacks rights of a service."""
    return Remedy(
        "Give this role the rights of a service, as the owner of the tables",
        place.sql(f'GRANT workflows_service TO "{place.user}"', file=str(RIGHTS)),
    )


def _make_room(_: Place) -> Remedy:
    return Remedy("The server's disk is full; make room there", "df -h")


def _see_who_locks(place: Place) -> Remedy:
    return Remedy(
        "Another transaction holds a lock; see which, and start again",
        place.sql("SELECT pid, query FROM pg_stat_activity WHERE state <> 'idle'"),
    )


_NOT_CONNECTED: Sequence[tuple[str, Remedies]] = (
    (
        'role ".*" does not exist',
        lambda place: Remedy("Create it", place.command("createuser", "-P", "NAME")),
    ),
    ('database ".*" does not exist', _make_the_database),
    ("authentication failed|no password supplied", _set_the_password),
    ("no encryption|SSL|TLS|certificate", _see_tls),
    (
        "pg_hba.conf",
        lambda place: Remedy(
            "Let this client in by a line in the server's pg_hba.conf, then",
            place.sql("SELECT pg_reload_conf()"),
        ),
    ),
    (
        "resolve host|translate host name",
        lambda place: Remedy(
            "Correct the host's name; ask for it", f"getent hosts {place.hosts[0][0]}"
        ),
    ),
    ("too many c|connection slots", close_connections),
    (
        "the database system is",
        lambda place: Remedy(
            "It takes connections soon: start again when it does", place.command("pg_isready")
        ),
    ),
    ("read-only|hot standby", make_writable),
    (
        "",
        lambda place: Remedy(
            "Are host, port, user and password in WORKFLOWS_DATABASE_URL right, and is it running"
            " there? Ask",
            place.command("pg_isready"),
        ),
    ),
)
"""A part of the reason, and what to do then; the first row that fits is used."""

_NOT_MIGRATED: Sequence[tuple[Sequence[str], str, Remedies]] = (
    (
        ("42501",),
        "extension",
        lambda place: Remedy(
            "Create it as a superuser",
            place.sql("CREATE EXTENSION pg_trgm", "CREATE EXTENSION btree_gin"),
        ),
    ),
    (
        ("42501",),
        "for schema",
        lambda place: Remedy(
            "Migrate as the owner of the database, and serve as this role afterwards: workflows"
            " migrate --database-url postgresql://OWNER@...; or let this role do it",
            place.sql(f'GRANT CREATE ON SCHEMA public TO "{place.user}"'),
        ),
    ),
    (("42501",), "", grant_use),
    (
        ("0A000", "58P01"),
        "extension",
        lambda _: Remedy(
            "Install PostgreSQL's contrib modules on the server, on Debian and Ubuntu by",
            "apt-get install postgresql-contrib",
        ),
    ),
    (
        ("42704",),
        "operator class",
        lambda place: Remedy(
            "The extensions pg_trgm and btree_gin are in a schema that this role does not search",
            place.sql(f'ALTER ROLE "{place.user}" SET search_path = public, THEIR_SCHEMA'),
        ),
    ),
    (("25006",), "", make_writable),
    (
        ("42P07", "42710", "42723"),
        "",
        lambda place: make_a_database(
            "It is not of this service; give the service a database of its own", place, "workflows"
        ),
    ),
    (
        ("3F000",),
        "",
        lambda place: Remedy(
            "Make a schema that this role searches", place.sql(f'CREATE SCHEMA "{place.user}"')
        ),
    ),
    (("53100",), "", _make_room),
    (("55P03", "57014"), "", _see_who_locks),
)
"""SQLSTATEs, a part of the reason, and what to do then; the first row that fits is used."""

_REFUSED: Mapping[str, Remedies] = {
    "STORE_BUSY": _see_who_locks,
    "STORE_READ_ONLY": make_writable,
    "STORE_FORBIDS": grant_use,
    "STORE_SCHEMA": lambda _: Remedy("Bring the schema up to date", "workflows migrate"),
    "STORE_FULL": _make_room,
}
"""What to do if calls are refused with a reason; see sqlstates.py."""
