"""The SQL of Get and List over current-state rows."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from psycopg import AsyncConnection, Error, InterfaceError, OperationalError
from psycopg_pool import AsyncConnectionPool

from application.ports import ListedView, StoreUnavailable, View
from domain.filters import Filters, folded
from infrastructure.postgres.connection import array_of
from infrastructure.postgres.session import AGAIN_WITHIN
from infrastructure.readmodel.coalescing import Coalesced
from infrastructure.readmodel.rows import STATE_COLUMNS, workflow_of

T = TypeVar("T")
Connection = AsyncConnection[Any]

_GET = f"SELECT id::text, version, {STATE_COLUMNS} FROM workflows WHERE id = ANY (%s::uuid[])"  # noqa: S608 - constants
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
    """WorkflowViews on a pool; Gets that arrive together share a query."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool
        self._gets: Coalesced[View] = Coalesced(self._fetch)

    async def get(self, workflow_id: str) -> View | None:
        """See WorkflowViews.get. Raises StoreUnavailable."""
        return await self._gets.get(workflow_id)

    async def page(
        self, user_id: str, filters: Filters, before: int | None, limit: int
    ) -> Sequence[ListedView]:
        """See WorkflowViews.page. Raises StoreUnavailable."""
        statement, parameters = list_statement(user_id, filters, before, limit)

        async def query(connection: Connection) -> list[tuple[Any, ...]]:
            # Not prepared: the best index depends on the values.
            cursor = await connection.execute(statement, parameters, prepare=False)
            return await cursor.fetchall()

        rows = await self._read(query)
        return [ListedView(View(row[0], workflow_of(row[3:]), row[1]), row[2]) for row in rows]

    async def _fetch(self, ids: Collection[str]) -> Mapping[str, View]:
        async def query(connection: Connection) -> list[tuple[Any, ...]]:
            cursor = await connection.execute(_GET, (array_of(ids),))
            return await cursor.fetchall()

        rows = await self._read(query)
        return {row[0]: View(row[0], workflow_of(row[2:]), row[1]) for row in rows}

    async def _read(self, query: Callable[[Connection], Awaitable[T]]) -> T:
        """The answer to a query; one whose connection is lost at once is asked again."""
        started = time.monotonic()
        try:
            try:
                return await self._once(query)
            except (OperationalError, InterfaceError):
                if time.monotonic() - started > AGAIN_WITHIN:
                    raise
                return await self._once(query)
        except Error as lost:
            raise StoreUnavailable("the database does not answer") from lost

    async def _once(self, query: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._pool.connection() as connection:
            return await query(connection)


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
