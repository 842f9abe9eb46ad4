"""The trails of work on the record, as PostgreSQL keeps them."""

from collections.abc import Sequence
from typing import Any

from application.queries import MAX_PAGE_BYTES
from application.receipts import KeptReceipt
from application.trails import AccessesRequest, LoggedAccess
from infrastructure.postgres.session import Session

_LAST_POSSIBLE = 2**63 - 1

_ACCESSES = """
    SELECT id, accessed_at, actor, method, coalesce(user_id, ''), coalesce(workflow_id::text, ''),
           request_id
    FROM access_log WHERE id < %(before)s{conditions} ORDER BY id DESC LIMIT %(limit)s
"""
_CONDITIONS = {
    "user_id": " AND user_id = %(user_id)s",
    "workflow_id": " AND workflow_id = %(workflow_id)s",
    "actor": " AND caller = ANY (%(callers)s) AND (caller = %(actor)s OR actor = %(actor)s)",
    "since": " AND accessed_at >= %(since)s",
    "until": " AND accessed_at < %(until)s",
}
# So many receipts that their length together has room; the length of one that is stored apart is
# known without reading it.
_RECEIPTS = """
    SELECT number, id::text, receipt FROM (
        SELECT number, id, receipt, row_number() OVER (ORDER BY number DESC) AS place,
               sum(octet_length(receipt)) OVER (ORDER BY number DESC) AS taken
        FROM (SELECT number, id, receipt FROM erasures
              WHERE receipt IS NOT NULL AND number < %(before)s
              ORDER BY number DESC LIMIT %(limit)s) AS newest
    ) AS measured WHERE place = 1 OR taken <= %(room)s ORDER BY number DESC
"""
_RECEIPT = """
    SELECT number, id::text, receipt FROM erasures
    WHERE number IS NOT NULL AND receipt IS NOT NULL AND id = %s
"""


class PostgresTrails:
    """A TrailStore on a session of its own."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def accesses(
        self, asked: AccessesRequest, before: int | None, limit: int
    ) -> Sequence[LoggedAccess]:
        """See TrailStore.accesses."""
        conditions = "".join(sql for name, sql in _CONDITIONS.items() if getattr(asked, name))
        parameters = {
            "before": before or _LAST_POSSIBLE,
            "limit": limit,
            "user_id": asked.user_id,
            "workflow_id": asked.workflow_id or None,
            "actor": asked.actor,
            "callers": [asked.actor, asked.actor.rpartition("#")[0]],
            "since": asked.since,
            "until": asked.until,
        }
        rows = self._rows(_ACCESSES.format(conditions=conditions), parameters)
        return [LoggedAccess._make(row) for row in rows]

    def receipts(self, receipt_id: str, before: int | None, limit: int) -> Sequence[KeptReceipt]:
        """See TrailStore.receipts."""
        if receipt_id:
            rows = self._rows(_RECEIPT, (receipt_id,))
        else:
            asked = {"before": before or _LAST_POSSIBLE, "limit": limit, "room": MAX_PAGE_BYTES}
            rows = self._rows(_RECEIPTS, asked)
        return [KeptReceipt._make(row) for row in rows]

    def _rows(self, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
        return self._session.read(
            lambda connection: connection.execute(statement, parameters).fetchall()
        )
