"""The SQL of Get and List over current-state rows."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from application.ports import ListedView, View
from domain.filters import Filters, folded
from infrastructure.postgres.connection import array_of
from infrastructure.postgres.session import Session
from infrastructure.readmodel.rows import STATE_COLUMNS, workflow_of

GET = f"SELECT id::text, version, {STATE_COLUMNS} FROM workflows WHERE id = ANY (%s::uuid[])"  # noqa: S608 - constants
_LIST = f"SELECT id::text, version, created_position, {STATE_COLUMNS} FROM workflows WHERE "  # noqa: S608 - constants
_CLAUSES = {
    "before": "created_position < %(before)s",
    "query": "name_folded LIKE %(query)s",
    "kind": "kind = %(kind)s",
    "build_status": "build_status = %(build_status)s",
    "is_terminated": "terminated_at IS NOT NULL",
    "interval_min": "interval_minutes >= %(interval_min)s",
    "interval_max": "interval_minutes <= %(interval_max)s",
}


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
        self, user_id: str, filters: Filters, before: int | None, limit: int
    ) -> Sequence[ListedView]:
        """See WorkflowViews.page."""
        statement, parameters = list_statement(user_id, filters, before, limit)
        # Not prepared: the best index depends on the values.
        rows = self._session.read(
            lambda connection: connection.execute(statement, parameters, prepare=False).fetchall()
        )
        return [ListedView(View(row[0], workflow_of(row[3:]), row[1]), row[2]) for row in rows]


def list_statement(
    user_id: str, filters: Filters, before: int | None, limit: int
) -> tuple[str, Mapping[str, Any]]:
    """The statement of one page and its parameters."""
    wanted = {
        "before": before,
        "query": f"%{_literally(folded(filters.query))}%" if filters.query else "",
        "kind": filters.kind,
        "build_status": filters.build_status,
        "is_terminated": filters.is_terminated,
        "interval_min": filters.interval_min,
        "interval_max": filters.interval_max,
    }
    clauses = [_CLAUSES[name] for name, value in wanted.items() if value]
    where = " AND ".join(["user_id = %(user_id)s", "deleted_at IS NULL", *clauses])
    ordered = f"{_LIST}{where} ORDER BY created_position DESC LIMIT %(limit)s"
    return ordered, {**wanted, "user_id": user_id, "limit": limit}


def _literally(text: str) -> str:
    """A text in which LIKE finds no wildcard."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
