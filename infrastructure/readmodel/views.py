"""Get and List over current-state rows."""

from collections.abc import Collection, Mapping

from application.damage import Damaged
from application.ports import UNREAD, EventStore, Forgotten, Slice, Unread, View
from domain.filters import Filters
from infrastructure.postgres.connection import array_of
from infrastructure.postgres.session import Session
from infrastructure.readmodel.pages import Pages, Wanted
from infrastructure.readmodel.rows import STATE_COLUMNS, USABLE, workflow_of

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
_PAYLOAD_READ = _STATE + STATE_COLUMNS.split(", ").index("payload")


class PostgresViews:
    """WorkflowViews on one session of its own: made for one thread."""

    def __init__(
        self, session: Session, streams: EventStore, damaged: Damaged | None = None
    ) -> None:
        """`streams` restores rows that cannot be used; it must be on the same thread."""
        self._session = session
        self._streams = streams
        self._pages = Pages(session, streams, Damaged() if damaged is None else damaged)

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
        return self._pages.page(Wanted(user_id, filters, before, limit, room))
