"""SQL functions, one a file, whose names end in their version.

A function of a new version gets a new name and a new file. So servers of two releases call the
functions that each of them knows on one database. A migration of a later release drops the old one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from psycopg import Connection

from infrastructure.postgres.unusable import DatabaseUnusable

_BODY = """
    SELECT prosrc FROM pg_proc
    WHERE proname = %s AND pronamespace = current_schema()::regnamespace
"""


class SchemaMismatch(DatabaseUnusable):
    """The database was made by another version of this service, and the two do not fit."""


@dataclass(frozen=True, slots=True)
class StoredFunction:
    """One file: CREATE FUNCTION, and what belongs to it, such as its trigger."""

    name: str
    sql: str


def known() -> Sequence[StoredFunction]:
    """All functions that this program calls, by name."""
    folder = files("infrastructure.postgres") / "functions"
    found = [
        StoredFunction(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return sorted(found, key=lambda function: function.name)


def missing(connection: Connection[Any]) -> Sequence[StoredFunction]:
    """The functions that the database lacks.

    Functions that the program does not know stay: a newer server may call them.
    Raises SchemaMismatch if a function is there with another body.
    """
    return [function for function in known() if not _is_there(connection, function)]


def _is_there(connection: Connection[Any], function: StoredFunction) -> bool:
    row = connection.execute(_BODY, (function.name,)).fetchone()
    if row is not None and row[0] not in function.sql:
        raise SchemaMismatch(
            f"The function {function.name} of this database has another body than this program's",
            "Use the version of this service that made it, or a new database; this one is",
            "workflows --version",
        )
    return row is not None
