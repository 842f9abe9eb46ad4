"""What verification reads beside the feed: a workflow's events, and when one was recorded."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
from psycopg import Connection

from application.ports import StoredEvent
from infrastructure.eventstore.streams import Place, read_streams

_STATE = (
    "SELECT state FROM workflow_events WHERE notification_id > %s ORDER BY notification_id LIMIT 1"
)


def stream_of(connection: Connection[Any], workflow_id: str) -> Iterator[StoredEvent]:
    """The events of a workflow, oldest first; few are in memory at a time."""
    place = Place(workflow_id, 0)
    while events := read_streams(connection, place, workflow_id):
        yield from events
        place = Place(workflow_id, events[-1].version)


def recorded_after(connection: Connection[Any], position: int) -> datetime | None:
    """When the event after a position was recorded; None if there is none, or it is damaged."""
    found = connection.execute(_STATE, (position,)).fetchone()
    try:
        return datetime.fromisoformat(orjson.loads(found[0])["recorded_at"]) if found else None
    except (ValueError, KeyError, TypeError):
        return None
