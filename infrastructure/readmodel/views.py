"""Get and List over current-state rows."""

from collections.abc import Collection, Mapping
from typing import Any

from psycopg.errors import QueryCanceled

from application.ports import ListedWorkflow, SearchTooBroad, Slice, View
from domain.filters import Filters
from infrastructure.postgres.connection import BoundedConnection, array_of
from infrastructure.postgres.session import Session
from infrastructure.readmodel.lists import ListStatements, Statement
from infrastructure.readmodel.rows import STATE_COLUMNS, workflow_of

GET = f"SELECT id::text, version, {STATE_COLUMNS} FROM workflows WHERE id = ANY (%s::uuid[])"  # noqa: S608 - constants
_PAYLOAD = ListedWorkflow._fields.index("payload")
_NO_FILTERS = Filters()


class PostgresViews:
    """WorkflowViews on one session of its own: made for one thread."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, ids: Collection[str]) -> Mapping[str, View]:
        """See WorkflowViews.get."""
        wanted = array_of(ids)
        rows = self._session.read(lambda connection: connection.execute(GET, (wanted,)).fetchall())
        return {row[0]: View(row[0], workflow_of(row[2:]), row[1]) for row in rows}

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
                return connection.execute(*statement, prepare=plain, binary=True).fetchall()
            except QueryCanceled as timeout:
                if plain:
                    raise
                raise SearchTooBroad from timeout

        return self._session.read(select)
