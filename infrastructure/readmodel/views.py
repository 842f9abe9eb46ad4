"""Get and List over current-state rows."""

from collections.abc import Collection, Mapping
from typing import Any

from psycopg import Connection
from psycopg.errors import QueryCanceled

from application.ports import (
    UNREAD,
    EventStore,
    Forgotten,
    ListedWorkflow,
    SearchTooBroad,
    Slice,
    Unread,
    View,
)
from domain.filters import Filters
from infrastructure.postgres.connection import BoundedConnection, array_of
from infrastructure.postgres.session import Session
from infrastructure.readmodel.lists import ListStatements, Statement
from infrastructure.readmodel.rows import COLUMNS, STATE_COLUMNS, USABLE, workflow_of

LIST_WITHIN = 1  # seconds that the database may search for a page
READ_TOGETHER = 32 * 1024
"""The largest payload, in bytes, of a workflow that is read together with others."""

# A workflow whose row is missing is found too, with an empty row: its events are there.
GET = f"""
    SELECT asked.id::text, w.version, {USABLE} AS usable, {STATE_COLUMNS}
    FROM unnest(%s::uuid[]) AS asked(id) LEFT JOIN workflows AS w ON w.id = asked.id
    WHERE w.id IS NOT NULL
       OR EXISTS (SELECT FROM workflow_events AS e WHERE e.originator_id = asked.id)
"""  # noqa: S608 - constants
_SMALL = f"CASE WHEN octet_length(payload) <= {READ_TOGETHER} THEN payload END"
GET_TOGETHER = GET.replace("payload", _SMALL, 1)
_USABLE, _STATE = 2, 3
_PAYLOAD_READ = _STATE + list(COLUMNS).index("payload")
_PAYLOAD = ListedWorkflow._fields.index("payload")
_NO_FILTERS = Filters()


def configure_lists(connection: Connection[Any]) -> None:
    """Sets what a session that reads lists needs: call it with each new connection.

    The plan of a list without filters is kept for all users. Without sorts it can only walk the one
    index that has the list's order. Otherwise, for a table that was never analysed or a user with
    far more workflows than others, the plan would sort all of them for each page.
    """
    connection.execute(f"SET enable_sort = off; SET statement_timeout = '{LIST_WITHIN}s'")


class PostgresViews:
    """WorkflowViews on one session of its own: made for one thread."""

    def __init__(self, session: Session, streams: EventStore) -> None:
        """`streams` restores rows that cannot be used; it must be on the same thread."""
        self._session = session
        self._streams = streams

    def get(self, ids: Collection[str]) -> Mapping[str, View | Unread]:
        """See WorkflowViews.get."""
        wanted = array_of(ids)
        statement = GET if len(ids) == 1 else GET_TOGETHER
        rows = self._session.read(
            lambda connection: connection.execute(statement, (wanted,)).fetchall()
        )
        views: dict[str, View | Unread] = {
            row[0]: UNREAD
            if row[_PAYLOAD_READ] is None
            else View(row[0], workflow_of(row[_STATE:]), row[1])
            for row in rows
            if row[_USABLE]
        }
        if len(views) < len(rows):
            unusable = [row[0] for row in rows if not row[_USABLE]]
            for workflow_id, stream in self._streams.load(unusable, ()).streams.items():
                if not isinstance(stream.workflow, Forgotten):
                    views[workflow_id] = View(workflow_id, stream.workflow, stream.version)
        return views

    def page(
        self, user_id: str, filters: Filters, before: int | None, limit: int, room: int
    ) -> Slice:
        """See WorkflowViews.page."""
        statements = ListStatements(user_id, filters, before, limit, room)
        if filters.query:
            rows = self._search(statements, limit)
        else:
            # Whatever the user, one index serves a list without filters: its plan is kept. With
            # filters, the best index depends on their values.
            rows = self._rows(statements.page, plain=filters == _NO_FILTERS)
        workflows = [ListedWorkflow._make(row) for row in rows if row[_PAYLOAD] is not None]
        return Slice(workflows, more=len(workflows) < len(rows))

    def _search(self, statements: ListStatements, limit: int) -> list[tuple[Any, ...]]:
        rows = self._rows(statements.walk)
        if len(rows) > limit or not self._rows(statements.beyond)[0][0]:
            return rows
        if not statements.has_trigrams:
            raise SearchTooBroad
        return self._rows(statements.by_name)

    def _rows(self, statement: Statement, *, plain: bool = False) -> list[tuple[Any, ...]]:
        def select(connection: BoundedConnection) -> list[tuple[Any, ...]]:
            try:
                if plain:
                    return connection.execute(*statement, prepare=True, binary=True).fetchall()
                with connection.transaction():
                    connection.execute("SET LOCAL enable_sort = on")
                    return connection.execute(*statement, prepare=False, binary=True).fetchall()
            except QueryCanceled as timeout:
                if plain:
                    raise
                raise SearchTooBroad from timeout

        return self._session.read(select)
