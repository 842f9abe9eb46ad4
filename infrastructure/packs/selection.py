"""The events of a pack on PostgreSQL: which they are, and their stored bytes, in order."""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, Error, IsolationLevel

from application.exports import MOST_EVENTS, ExportRequest, PackTooLarge
from application.ports import StoredDataDamaged, StoredEvent
from domain.errors import WorkflowNotFound
from domain.events import Created
from infrastructure.eventstore.feed import decode, missing
from infrastructure.eventstore.streams import Place, read_streams
from infrastructure.postgres.connection import array_of, with_network_guards
from infrastructure.postgres.sqlstates import DAMAGE, trouble_of

AT_ONCE = 500  # events
ROOM = 4 * 1024 * 1024  # bytes of events in memory at a time, unless one event is larger
POSITIONS_AT_ONCE = 10_000

_BOUNDS = "SET timezone = 'UTC'; SET lock_timeout = '10s'; SET statement_timeout = '10min'"
_OF_USER = """
    SELECT id::text FROM workflows WHERE user_id = %(user)s
    UNION SELECT id::text FROM lost_rows WHERE user_id = %(user)s
"""
_RECORDED_AT = "(convert_from(state, 'UTF8')::json ->> 'recorded_at')::timestamptz"
_READ = """
    SELECT id, version, position, topic, state, salt, content FROM (
        SELECT originator_id::text AS id, originator_version AS version,
               notification_id AS position, topic, state, salt, content,
               sum(octet_length(state) + coalesce(octet_length(content), 0))
                   OVER (ORDER BY notification_id ROWS UNBOUNDED PRECEDING) AS size
        FROM workflow_events WHERE notification_id = ANY (%s::bigint[])
    ) AS sized
    WHERE size <= %s OR position = %s
    ORDER BY position
"""
_RECEIPTS = """
    SELECT DISTINCT e.id::text, e.receipt FROM erasures AS e
    JOIN erased_workflows AS w ON w.receipt_id = e.id
    WHERE w.workflow_id = ANY (%s::uuid[]) AND e.receipt IS NOT NULL ORDER BY 1
"""


@contextmanager
def connected(dsn: str) -> Iterator[Connection[Any]]:
    """A connection of a pack's own, without the short time-outs of the service's sessions.

    Raises StoreUnavailable or StoredDataDamaged for what the database refuses in the block.
    """
    try:
        with Connection.connect(with_network_guards(dsn), autocommit=True) as connection:
            connection.execute(_BOUNDS)
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            yield connection
    except Error as error:
        trouble = trouble_of(error)
        if trouble is DAMAGE:
            raise StoredDataDamaged(f"stored data cannot be read: {error}") from error
        raise trouble.refusal(error) from error


def positions(connection: Connection[Any], asked: ExportRequest, last: int) -> Sequence[int]:
    """The positions of the events that are asked for, up to `last`, in ascending order.

    Raises WorkflowNotFound if the workflow does not exist, or is not the user's; PackTooLarge.
    """
    ids = _workflows(connection, asked)
    conditions = ["notification_id <= %(last)s"]
    if ids is not None:
        conditions.append("originator_id = ANY (%(ids)s::uuid[])")
    if asked.since is not None:
        conditions.append(f"{_RECORDED_AT} >= %(since)s")
    if asked.until is not None:
        conditions.append(f"{_RECORDED_AT} < %(until)s")
    found = array("q")
    query = (
        f"SELECT notification_id FROM workflow_events WHERE {' AND '.join(conditions)}"  # noqa: S608 - ours
        " ORDER BY notification_id"
    )
    values = {"last": last, "ids": array_of(ids or ()), "since": asked.since, "until": asked.until}
    with connection.transaction(), connection.cursor("positions", binary=True) as cursor:
        cursor.execute(query.encode(), values)
        while rows := cursor.fetchmany(POSITIONS_AT_ONCE):
            found.extend(row[0] for row in rows)
            if len(found) > MOST_EVENTS:
                raise PackTooLarge
    return found


def events(connection: Connection[Any], chosen: Sequence[int]) -> Iterator[StoredEvent]:
    """The events at these positions; few are in memory at a time.

    Raises StoredDataDamaged if one is missing.
    """
    start = 0
    while start < len(chosen):
        wanted = list(chosen[start : start + AT_ONCE])
        rows = connection.execute(_READ, (wanted, ROOM, wanted[0]), binary=True).fetchall()
        for position, row in zip(wanted, rows, strict=False):
            if row[2] != position:
                raise missing(position)
            yield StoredEvent._make(row)
        if not rows:
            raise missing(wanted[0])
        start += len(rows)


def receipts(connection: Connection[Any], ids: Sequence[str]) -> list[tuple[str, str]]:
    """The ids and receipts of the erasures of these workflows."""
    return connection.execute(_RECEIPTS, (array_of(ids),)).fetchall()


def _workflows(connection: Connection[Any], asked: ExportRequest) -> Sequence[str] | None:
    """The workflows that are asked for; None stands for all. Raises WorkflowNotFound."""
    if asked.workflow_id:
        found = read_streams(connection, Place(asked.workflow_id, 0), asked.workflow_id, limit=1)
        if not found or (asked.user_id and _owner(found[0]) != asked.user_id):
            raise WorkflowNotFound(asked.workflow_id)
        return [asked.workflow_id]
    if asked.user_id:
        return [row[0] for row in connection.execute(_OF_USER, {"user": asked.user_id}).fetchall()]
    return None


def _owner(created: StoredEvent) -> str | None:
    """The owner whom a creation names; None if that was erased."""
    event = decode(created).event
    return event.user_id if isinstance(event, Created) else None
