"""The shadow table takes the place of the live one: names change, nothing else.

Statements that servers have prepared name the table; PostgreSQL plans them anew after a change of
names, and their columns are the same. A statement that waits for the table meanwhile looks its name
up again when it has it.
"""

from collections.abc import Callable, Iterator
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier

from infrastructure.readmodel.shadow import LIVE, OLD, SHADOW, WRITING

WAIT_MS = 1200  # for the table, while appends wait: longer than a list may take

_SHADOW, _OLD = "shadow_", "old_"  # before the names of indexes and constraints

_INDEXES = """
    SELECT c.relname, pg_get_indexdef(i.indexrelid)
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = %s::regclass AND NOT i.indisprimary ORDER BY c.relname
"""
_NAMED = """
    SELECT 'INDEX', relname::text FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid
    WHERE indrelid = %(table)s::regclass AND NOT indisprimary
    UNION ALL
    SELECT 'CONSTRAINT', conname::text FROM pg_constraint WHERE conrelid = %(table)s::regclass
"""
_TRIGGERS = """
    SELECT tgname::text, pg_get_triggerdef(oid) FROM pg_trigger
    WHERE tgrelid = 'workflows'::regclass AND NOT tgisinternal ORDER BY tgname
"""
_HOLDERS = """
    SELECT DISTINCT a.pid, a.application_name, a.state
    FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
    WHERE l.relation = 'workflows'::regclass AND l.granted AND l.pid <> pg_backend_pid()
    ORDER BY a.pid LIMIT 5
"""


def build_indexes(connection: Connection[Any]) -> Iterator[str]:
    """Builds each index that the live table has and the shadow table lacks; yields its name before.

    Nothing can be forgotten while an index is built.
    """
    there = {name for name, _ in connection.execute(_INDEXES, (SHADOW,)).fetchall()}
    for name, definition in connection.execute(_INDEXES, (LIVE,)).fetchall():
        shadow = f"{_SHADOW}{name}"
        if shadow in there:
            continue
        yield name
        unique = "UNIQUE " if definition.startswith("CREATE UNIQUE") else ""
        how = definition[definition.index(" USING ") :]
        with connection.transaction():
            connection.execute(WRITING)
            connection.execute(
                SQL("CREATE {}INDEX {} ON {}{}").format(
                    SQL(unique), Identifier(shadow), Identifier(SHADOW), SQL(how)
                )
            )
    connection.execute("ANALYZE workflows_shadow")


def exchange(connection: Connection[Any]) -> None:
    """Gives the tables, their indexes, constraints and triggers each other's place.

    Runs in the caller's transaction, which holds the append lock. Raises LockNotAvailable if
    somebody keeps the live table for too long.
    """
    connection.execute(f"SET LOCAL lock_timeout = '{WAIT_MS}ms'")
    connection.execute("LOCK TABLE workflows, workflows_shadow IN ACCESS EXCLUSIVE MODE")
    triggers = connection.execute(_TRIGGERS).fetchall()
    for name, _ in triggers:
        connection.execute(SQL("DROP TRIGGER {} ON workflows").format(Identifier(name)))
    _move(connection, LIVE, OLD, lambda name: f"{_OLD}{name}")
    _move(connection, SHADOW, LIVE, lambda name: name.removeprefix(_SHADOW))
    for _, definition in triggers:
        connection.execute(definition)
    connection.execute("DELETE FROM lost_rows")


def _move(
    connection: Connection[Any], before: str, after: str, renamed: Callable[[str], str]
) -> None:
    for kind, name in connection.execute(_NAMED, {"table": before}).fetchall():
        if renamed(name) != name:
            connection.execute(_rename(kind, name, renamed(name), before))
    connection.execute(
        SQL("ALTER TABLE {} RENAME TO {}").format(Identifier(before), Identifier(after))
    )


def holders(connection: Connection[Any]) -> str:
    """Who keeps the live table, in words."""
    found = connection.execute(_HOLDERS).fetchall()
    return ", ".join(f"process {pid} ({name or 'unnamed'}, {state})" for pid, name, state in found)


def _rename(kind: str, old: str, new: str, table: str) -> Composed:
    if kind == "INDEX":
        return SQL("ALTER INDEX {} RENAME TO {}").format(Identifier(old), Identifier(new))
    return SQL("ALTER TABLE {} RENAME CONSTRAINT {} TO {}").format(
        Identifier(table), Identifier(old), Identifier(new)
    )
