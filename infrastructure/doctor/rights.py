"""Compares the rights of the role that serves with those that roles.sql gives."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import Connection

from infrastructure.doctor.diagnosis import Diagnosis, State
from infrastructure.postgres.explanations import RIGHTS, grant_use
from infrastructure.postgres.place import Place

SUBJECT = "rights"

_GRANT = re.compile(r"GRANT ([^;]+?) ON (FUNCTION )?([^;]+?)\s+TO workflows_service;")
_PRIVILEGE = re.compile(r"(\w+)(?: \(([^)]*)\))?")
_OF_TABLE = "SELECT coalesce(has_table_privilege(to_regclass(%s)::oid, %s), false)"
_OF_COLUMN = "SELECT coalesce(has_column_privilege(to_regclass(%s)::oid, %s, %s), false)"
_OF_FUNCTION = """
    SELECT has_function_privilege(oid, 'EXECUTE') FROM pg_proc
    WHERE proname = %s AND pronamespace = current_schema()::regnamespace
"""
_TOO_MUCH = """
    SELECT current_setting('is_superuser')::boolean,
           bool_or(has_table_privilege(name::regclass, 'UPDATE, DELETE, TRUNCATE')),
           has_schema_privilege(current_schema(), 'CREATE')
    FROM (VALUES ('workflow_events'), ('command_ledger')) AS recorded (name)
"""


def examine(connection: Connection[Any], place: Place, *, embedded: bool) -> Diagnosis:
    """Whether the role can do what a service does, and no more.

    The database must have today's schema. The embedded one has a role of its own.
    """
    missing = list(_missing(connection))
    if missing:
        shown = f"the role {place.user} lacks {', '.join(missing)}"
        return Diagnosis(SUBJECT, State.ILL, shown, *grant_use(place))
    if embedded:
        return Diagnosis(SUBJECT, State.WELL, "the embedded server's own role")
    if dangers := _dangers(connection):
        return Diagnosis(
            SUBJECT,
            State.DOUBTFUL,
            f"the role {place.user} can do more than append and read: {', '.join(dangers)}",
            "Migrate as this role, and serve as one that has the rights of a service only",
            place.sql("CREATE ROLE app LOGIN IN ROLE workflows_service", file=str(RIGHTS)),
        )
    return Diagnosis(SUBJECT, State.WELL, f"the role {place.user} can append and read, no more")


def needed() -> Iterator[tuple[str, str, str]]:
    """Each right of a service: what it allows, the table or function, and a column or nothing."""
    for privileges, of_function, objects in _GRANT.findall(RIGHTS.read_text(encoding="utf-8")):
        for name in (each.strip() for each in objects.split(",")):
            if of_function:
                yield "EXECUTE", name, ""
                continue
            for privilege, columns in _PRIVILEGE.findall(privileges):
                for column in columns.split(",") or [""]:
                    yield privilege, name, column.strip()


def _missing(connection: Connection[Any]) -> Iterator[str]:
    for privilege, name, column in needed():
        where = f"{name}.{column}" if column else name
        if privilege == "EXECUTE":
            held = connection.execute(_OF_FUNCTION, (name,)).fetchall()
        elif column:
            held = connection.execute(_OF_COLUMN, (name, column, privilege)).fetchall()
        else:
            held = connection.execute(_OF_TABLE, (name, privilege)).fetchall()
        if not held or not all(right for (right,) in held):
            yield f"{privilege} on {where}"


def _dangers(connection: Connection[Any]) -> Sequence[str]:
    [found] = connection.execute(_TOO_MUCH).fetchall()
    words = ("it is a superuser", "it may change what is recorded", "it may create tables")
    return [word for holds, word in zip(found, words, strict=True) if holds]
