"""All events, one workflow after the other in the order of ids: each is read once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg import Connection

from application.ports import StoredEvent
from infrastructure.postgres.connection import array_of

LIMIT = 5000  # events
ROOM = 16 * 1024 * 1024  # bytes

LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"
"""The last id of all."""

_LAST_VERSION = 2**63 - 1
_NEXT = """
    SELECT id, version, position, topic, state, salt, content
    FROM (
        SELECT originator_id::text AS id, originator_version AS version,
               notification_id AS position, topic, state, salt, content,
               row_number() OVER streams AS place,
               sum(octet_length(state) + coalesce(octet_length(content), 0)) OVER streams AS size
        FROM (
            SELECT * FROM workflow_events
            WHERE (originator_id, originator_version) > (%s::uuid, %s)
              AND originator_id <= %s::uuid {chosen}
            ORDER BY originator_id, originator_version LIMIT %s
        ) AS following
        WINDOW streams AS (
            ORDER BY originator_id, originator_version ROWS UNBOUNDED PRECEDING
        )
    ) AS sized
    WHERE size <= %s OR place = 1
    ORDER BY place
"""
_ALL = _NEXT.format(chosen="")
_OF = _NEXT.format(chosen="AND originator_id = ANY (%s::uuid[])")


class Place(NamedTuple):
    """A place among all events: after the event `version` of a workflow."""

    workflow_id: str
    version: int


START = Place("00000000-0000-0000-0000-000000000000", 0)
"""The place before the first event."""


def after_workflow(workflow_id: str) -> Place:
    """The place after the last event of a workflow."""
    return Place(workflow_id, _LAST_VERSION)


def read_streams(
    connection: Connection[Any],
    after: Place,
    last: str = LAST,
    limit: int = LIMIT,
    room: int = ROOM,
    ids: Sequence[str] | None = None,
) -> Sequence[StoredEvent]:
    """The events after a place, up to those of the workflow `last`.

    They are at most `limit`, and no more than fit into `room` bytes; the first one is always
    included, whatever its size. With `ids`, only events of these workflows are read. None are
    returned at the end.
    """
    query, chosen = (_ALL, ()) if ids is None else (_OF, (array_of(ids),))
    bounds = (*after, last, *chosen, limit, room)
    rows = connection.execute(query.encode(), bounds, binary=True).fetchall()
    return [StoredEvent._make(row) for row in rows]
