"""The table workflows_shadow: rows made anew from events, to take the place of the live ones."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from psycopg import Connection, Rollback
from psycopg.sql import SQL, Identifier

from application.folds import Folded
from application.ports import Forgotten
from domain.workflow import Workflow
from infrastructure.postgres.connection import array_of
from infrastructure.readmodel.refolding import FOLDING
from infrastructure.readmodel.rows import ROW_SHAPE, STATE_COLUMNS, state_row, workflow_of

LIVE, SHADOW, OLD = "workflows", "workflows_shadow", "workflows_old"
FORM = f"shape {ROW_SHAPE}, {FOLDING}"
"""What rows of today look like: rows of another form are of no use to a rebuild."""

ONE_AT_A_TIME = "SELECT pg_try_advisory_lock(5005203)"
WRITING = "SELECT pg_advisory_xact_lock(5005204)"
"""Held while rows are written, so that a workflow is forgotten before that or after it."""

_STATE = "SELECT step, epoch, form FROM row_rebuild"
_BEGIN = """
    INSERT INTO row_rebuild (step, epoch, form, followed_position)
    SELECT 'fill', (SELECT epoch FROM feed_epoch), %s,
           (SELECT coalesce(max(notification_id), 0) FROM workflow_events)
"""
_OWNED = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'workflows'::regclass"
_OWNER_AND_OPTIONS = """
    SELECT pg_get_userbyid(relowner), array_to_string(reloptions, ', ')
    FROM pg_class WHERE oid = 'workflows'::regclass
"""
_GRANTS = """
    SELECT privilege_type, CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) END, is_grantable
    FROM pg_class, aclexplode(relacl) WHERE oid = 'workflows'::regclass AND grantee <> relowner
"""
_PRIMARY_KEY = "ALTER TABLE workflows_shadow ADD CONSTRAINT shadow_workflows_pkey PRIMARY KEY (id)"
_FOLDED = f"COMMENT ON COLUMN workflows_shadow.name_folded IS '{FOLDING}'"
_ROWS = f"""
    SELECT id::text, version, position, created_position, digest, {STATE_COLUMNS}
    FROM workflows_shadow WHERE id = ANY (%s::uuid[])
"""  # noqa: S608 - constants
_INSERT = """
    INSERT INTO workflows_shadow
    SELECT made.* FROM json_populate_recordset(NULL::workflows_shadow, %s::json) AS made
"""


class RebuildRefused(Exception):
    """A rebuild cannot begin or go on now; the text says what to do."""


def claim(connection: Connection[Any]) -> bool:
    """Takes the rebuild for this session: continues one that was interrupted, or begins one.

    Returns whether one is continued. Raises RebuildRefused.
    """
    if connection.execute(_OWNED).fetchone() != (True,):
        raise RebuildRefused(
            "This role does not own the table of workflows. Use the role that migrates."
        )
    if connection.execute(ONE_AT_A_TIME).fetchone() != (True,):
        raise RebuildRefused("Another process rebuilds this database. Wait until it is done.")
    step, *made_for = connection.execute(_STATE).fetchone() or (None,)
    if step == "kept":
        raise RebuildRefused(
            "The table of the last rebuild is still kept. Run: workflows rebuild --drop-old"
        )
    epoch = connection.execute("SELECT epoch FROM feed_epoch").fetchone()
    if step is not None and made_for == [*(epoch or ()), FORM]:
        return True
    with connection.transaction():
        connection.execute("DELETE FROM row_rebuild")
        connection.execute("DROP TABLE IF EXISTS workflows_shadow")
        _create(connection)
        connection.execute(_BEGIN, (FORM,))
    return False


def drop_old(connection: Connection[Any]) -> bool:
    """Drops the table that a rebuild replaced. Returns whether there was one."""
    with connection.transaction():
        there = connection.execute("SELECT to_regclass('workflows_old')").fetchone() != (None,)
        connection.execute("DROP TABLE IF EXISTS workflows_old")
        connection.execute("DELETE FROM row_rebuild WHERE step = 'kept'")
    return there


def _create(connection: Connection[Any]) -> None:
    """An empty table like the live one, with its owner, its options, its rights and its key."""
    [(owner, options)] = connection.execute(_OWNER_AND_OPTIONS).fetchall()
    table = Identifier(SHADOW)
    connection.execute(
        SQL("CREATE TABLE {} (LIKE workflows INCLUDING ALL EXCLUDING INDEXES)").format(table)
    )
    connection.execute(SQL("ALTER TABLE {} OWNER TO {}").format(table, Identifier(owner)))
    if options:
        connection.execute(SQL("ALTER TABLE {} SET ({})").format(table, SQL(options)))
    for right, grantee, grantable in connection.execute(_GRANTS).fetchall():
        to = SQL("PUBLIC") if grantee is None else Identifier(grantee)
        grant = SQL("GRANT {} ON {} TO {}").format(SQL(right), table, to)
        connection.execute(grant + SQL(" WITH GRANT OPTION") if grantable else grant)
    connection.execute(_PRIMARY_KEY)
    connection.execute(_FOLDED.encode())


def read_rows(connection: Connection[Any], ids: Iterable[str]) -> dict[str, Folded]:
    """The workflows that the shadow table holds, of these."""
    rows = connection.execute(_ROWS, (array_of(ids),)).fetchall()
    return {
        row[0]: Folded(row[0], workflow_of(row[5:]), row[1], row[2], row[3], row[4]) for row in rows
    }


class ShadowWriter:
    """Writes rows, unless an event was forgotten since `begin`: then what was folded is void."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._forgets = -1

    def begin(self) -> None:
        """Call it before the events are read that rows will be made of."""
        self._forgets = self._count()

    def write(self, workflows: Sequence[Folded], progress: str, values: Sequence[object]) -> bool:
        """Writes the rows of workflows, and how far the rebuild has come, in one transaction.

        `progress` is what to set in row_rebuild. Returns false, and writes nothing, if an event
        was forgotten since `begin`. Forgotten workflows have no row.
        """
        ids = array_of(each.workflow_id for each in workflows)
        rows = [
            row_of(each, each.workflow)
            for each in workflows
            if not isinstance(each.workflow, Forgotten)
        ]
        with self._connection.transaction():
            self._connection.execute(WRITING)
            if self._count() != self._forgets:
                raise Rollback
            if workflows:
                self._connection.execute(
                    "DELETE FROM workflows_shadow WHERE id = ANY (%s::uuid[])", (ids,)
                )
            if rows:
                json = orjson.dumps(rows, option=orjson.OPT_UTC_Z).decode()
                self._connection.execute(_INSERT, (json,))
            advanced = f"UPDATE row_rebuild SET {progress}"  # noqa: S608 - columns of ours
            self._connection.execute(advanced.encode(), values)
            return True
        return False

    def _count(self) -> int:
        [(count,)] = self._connection.execute("SELECT forgets FROM row_rebuild").fetchall()
        return int(count)


def row_of(folded: Folded, workflow: Workflow) -> dict[str, Any]:
    """The row of a workflow, as JSON has it."""
    return state_row(folded.workflow_id, workflow) | {
        "version": folded.version,
        "position": folded.position,
        "created_position": folded.created_position,
        "digest": f"\\x{folded.digest.hex()}",
    }
