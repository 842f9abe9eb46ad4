"""SQL that a test runs itself, past the service."""

from collections.abc import Sequence
from typing import Any

import psycopg


def execute(dsn: str, statement: str) -> None:
    """Executes a statement in autocommit mode."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement)


def select(dsn: str, query: str, *parameters: object) -> Sequence[tuple[Any, ...]]:
    """The rows of a query."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(query, parameters).fetchall()


def value(dsn: str, query: str, *parameters: object) -> Any:
    """The single value of a query."""
    [(found,)] = select(dsn, query, *parameters)
    return found


def answers(dsn: str) -> bool:
    """Whether the database takes connections."""
    try:
        return bool(value(dsn, "SELECT true"))
    except psycopg.OperationalError:
        return False
