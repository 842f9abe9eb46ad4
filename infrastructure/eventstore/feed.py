"""The feed on PostgreSQL: every event in the order of positions, and a proof that none is missing.

Positions are assigned under the append lock, so the order of positions is the order of commits:
a reader that sees a position sees every position before it. A gap is therefore damage.
"""

from typing import Any

from psycopg import Connection

from application.ports import (
    Feed,
    FeedBatch,
    FeedEnd,
    RecordedEvent,
    StoredDataDamaged,
    StoredEvent,
)
from infrastructure.eventstore import stored_form
from infrastructure.eventstore.horizon import wound_back
from infrastructure.postgres.session import Session

LIMIT = 1000  # events
ROOM = 8 * 1024 * 1024  # bytes

_END = """
    SELECT (SELECT epoch FROM feed_epoch),
           (SELECT coalesce(max(notification_id), 0) FROM workflow_events)
"""
# Lengths are known without reading content that is stored apart, so the inner query reads none.
_READ = """
    SELECT workflow_id, version, position, topic, state, salt, content
    FROM (
        SELECT originator_id::text AS workflow_id, originator_version AS version,
               notification_id AS position, topic, state, salt, content,
               sum(octet_length(state) + coalesce(octet_length(content), 0))
                   OVER (ORDER BY notification_id ROWS UNBOUNDED PRECEDING) AS size
        FROM workflow_events
        WHERE notification_id > %(after)s::bigint
          AND notification_id <= %(after)s::bigint + %(limit)s::bigint
    ) AS sized
    WHERE size <= %(room)s OR position = %(after)s::bigint + 1
    ORDER BY position
"""
_READ_STATES = """
    SELECT originator_id::text, originator_version, notification_id, topic, state, NULL, NULL
    FROM workflow_events
    WHERE notification_id > %(after)s::bigint
      AND notification_id <= %(after)s::bigint + %(limit)s::bigint
    ORDER BY notification_id
"""


class PostgresFeed:
    """An EventFeed on a session of its own."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def end(self) -> FeedEnd:
        """See EventFeed.end."""
        return self._session.read(feed_end)

    def read(
        self, after: int, *, limit: int = LIMIT, room: int = ROOM, content: bool = True
    ) -> FeedBatch:
        """See EventFeed.read."""
        return self._session.read(
            lambda connection: read_feed(connection, after, limit, room, content=content)
        )

    def decode(self, stored: StoredEvent) -> RecordedEvent:
        """See EventFeed.decode."""
        return decode(stored)


def feed_end(connection: Connection[Any]) -> FeedEnd:
    """Where the feed of a database ends."""
    [(epoch, last)] = connection.execute(_END).fetchall()
    return FeedEnd(Feed(epoch), last)


def read_feed(
    connection: Connection[Any],
    after: int,
    limit: int = LIMIT,
    room: int = ROOM,
    *,
    content: bool = True,
) -> FeedBatch:
    """A batch of a database's feed, in one round trip; see EventFeed.read.

    The end is read by the first of two statements: what it names, the second one sees.
    """
    query = _READ if content else _READ_STATES
    asked: dict[str, Any] = {"after": after, "limit": limit, "room": room}
    with connection.pipeline():
        ended = connection.execute(_END)
        found = connection.execute(query, asked, binary=True)
        [(epoch, last)] = ended.fetchall()
        events = list(map(StoredEvent._make, found.fetchall()))
    if last < after:
        raise wound_back(after)
    _check(after, events, last)
    return FeedBatch(after, events, FeedEnd(Feed(epoch), last))


def decode(stored: StoredEvent) -> RecordedEvent:
    """The event in stored bytes; see EventFeed.decode."""
    workflow_id, version, position, name, state, salt, content = stored
    salted = None if salt is None or content is None else (salt, content)
    return stored_form.read(workflow_id, version, position, name, state, salted)


def _check(after: int, events: list[StoredEvent], last: int) -> None:
    """Raises StoredDataDamaged if a position is missing right after `after` or between events.

    What is missing at the end of a batch is found missing at the beginning of the next one.
    """
    for expected, event in enumerate(events, after + 1):
        if event.position != expected:
            raise missing(expected)
    if not events and last > after:
        raise missing(after + 1)


def missing(position: int) -> StoredDataDamaged:
    """The damage of a feed that has no event at a position, and has one after it."""
    return StoredDataDamaged(f"the feed has no event at position {position}, and goes on after it")
