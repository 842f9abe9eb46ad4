"""Refusals of PostgreSQL and libpq as sentences: their reason, and what to do about it."""

import re
from collections.abc import Callable, Sequence

from psycopg import Error

from infrastructure.postgres.place import Place
from infrastructure.postgres.unusable import DatabaseUnusable

Remedy = Callable[[Place], str]


def not_connected(error: Error, place: Place) -> DatabaseUnusable:
    """Why there is no connection. libpq's reasons hold no password."""
    reason = _reason(error)
    answered = "FATAL" in reason or "authentication" in reason
    remedy = next(remedy for sign, remedy in _NOT_CONNECTED if re.search(sign, reason))
    verb = "used" if answered else "reached"
    return DatabaseUnusable(
        f"PostgreSQL at {place} cannot be {verb}: {reason.rstrip('.')}. {remedy(place)}"
    )


def not_migrated(error: Error, place: Place, step: str) -> DatabaseUnusable:
    """Why the schema could not be read or brought up to date; `step` is what was under way."""
    reason = error.diag.message_primary or _reason(error)
    remedy = next(
        (r for states, sign, r in _NOT_MIGRATED if error.sqlstate in states and sign in reason),
        _look,
    )
    return DatabaseUnusable(
        f"PostgreSQL at {place} refuses {step}: {reason.rstrip('.')}. {remedy(place)}"
    )


def _reason(error: Error) -> str:
    """The text of an error on one line, without what psycopg puts around it."""
    text = str(error)
    _, several, failures = text.partition("All failures were:\n")
    lines = failures.splitlines() if several else [text]
    known = [line.rpartition("connection failed: ")[2].strip(" -") for line in lines]
    first = [line for line in known if line and not line.startswith("\t")]
    return " ".join("; ".join(first if several else known).split())


def _look(place: Place) -> str:
    return f"Look from here: {place.command('psql', place.database)}"


def _make_the_database(place: Place) -> str:
    make = place.command("createdb", "-E", "UTF8", "-T", "template0", place.database)
    return f"Create it: {make}"


def _make_the_role(place: Place) -> str:
    make = Place(place.hosts, place.database, "").command("createuser", "-P", place.user)
    return f"Create it: {make}"


def _read_write(_: Place) -> str:
    return (
        "Name the primary in the database's URL, or all hosts and"
        " target_session_attrs=read-write; for a database that is set to be read-only:"
        " ALTER DATABASE ... RESET default_transaction_read_only"
    )


def _grant_create(place: Place) -> str:
    return (
        "Migrate as the owner of the database, and serve as this role afterwards:"
        " workflows migrate --database-url postgresql://OWNER@...; or let this role do it:"
        f' GRANT CREATE ON SCHEMA public TO "{place.user}"'
    )


def _grant_use(place: Place) -> str:
    return (
        "Give this role the rights of a service, as the owner of the tables: psql -f"
        f' infrastructure/postgres/roles.sql, then: GRANT workflows_service TO "{place.user}"'
    )


_NOT_CONNECTED: Sequence[tuple[str, Remedy]] = (
    (
        'role ".*" does not exist',
        lambda place: f"Create it: {place.command('createuser', '-P', 'NAME')}",
    ),
    ('database ".*" does not exist', _make_the_database),
    (
        "authentication failed|no password supplied",
        lambda _: "Correct user and password in the database's URL",
    ),
    (
        "no encryption|SSL|TLS|certificate",
        lambda _: (
            "Fit sslmode and sslrootcert in the database's URL to the server, for example"
            " ?sslmode=verify-full&sslrootcert=system"
        ),
    ),
    (
        "pg_hba.conf",
        lambda _: (
            "Let this client in by a line in the server's pg_hba.conf, then: SELECT"
            " pg_reload_conf()"
        ),
    ),
    (
        "resolve host|translate host name",
        lambda place: f"Correct the host's name; ask for it: getent hosts {place.hosts[0][0]}",
    ),
    (
        "too many c|connection slots",
        lambda _: (
            "Close other connections, or raise max_connections; see whose they are:"
            " SELECT usename, count(*) FROM pg_stat_activity GROUP BY usename"
        ),
    ),
    ("the database system is", lambda _: "It takes connections soon: start again"),
    ("read-only|hot standby", _read_write),
    (
        "",
        lambda place: (
            f"Is it running there? Ask: {place.command('pg_isready')}; and are host,"
            " port, user and password in WORKFLOWS_DATABASE_URL right?"
        ),
    ),
)
"""A part of the reason, and what to do then; the first row that fits is used."""

_NOT_MIGRATED: Sequence[tuple[Sequence[str], str, Remedy]] = (
    (
        ("42501",),
        "extension",
        lambda place: (
            "Create it as a superuser:"
            f" psql -d {place.database} -c 'CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gin'"
        ),
    ),
    (("42501",), "for schema", _grant_create),
    (("42501",), "", _grant_use),
    (
        ("0A000", "58P01"),
        "extension",
        lambda _: (
            "Install PostgreSQL's contrib modules on the server: apt-get install"
            " postgresql-contrib, or the package of your system"
        ),
    ),
    (
        ("42704",),
        "operator class",
        lambda place: (
            "The extensions pg_trgm and btree_gin are in a schema that this role does not"
            f' search: ALTER ROLE "{place.user}" SET search_path = public, SCHEMA_OF_THE_EXTENSIONS'
        ),
    ),
    (("25006",), "", _read_write),
    (
        ("42P07", "42710", "42723"),
        "",
        lambda place: (
            "It is not of this service; give the service a database of its own:"
            f" {place.command('createdb', '-E', 'UTF8', '-T', 'template0', 'workflows')}"
        ),
    ),
    (
        ("3F000",),
        "",
        lambda place: f'Make a schema that this role searches: CREATE SCHEMA "{place.user}"',
    ),
    (("53100",), "", lambda _: "The server's disk is full; make room there"),
    (
        ("55P03", "57014"),
        "",
        lambda _: (
            "Another transaction holds a lock; see which: SELECT pid, query FROM"
            " pg_stat_activity WHERE state <> 'idle', and start again"
        ),
    ),
)
"""SQLSTATEs, a part of the reason, and what to do then; the first row that fits is used."""
