"""The follower that fills the table of what events can be found by."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson
from psycopg import Connection

from application.followers import FollowerPlace, goes_on
from application.history.states import states
from application.ledger import LedgerDigests
from application.ports import FeedBatch, FeedEnd, RecordedEvent, Version
from application.search import SearchEntry, entry_of, needs_state
from domain.workflow import Workflow
from infrastructure.eventstore.feed import decode
from infrastructure.eventstore.records import Snapshot

NAME = "search"

# An event of a workflow whose creation was erased has no owner any more: it is not entered.
_INSERT = """
    INSERT INTO event_search (
        position, workflow_id, version, user_id, type, changed_fields, actor, caller, request_id,
        trace_id, key_digest, job_id, recorded_at
    )
    SELECT e.position, e.workflow_id, e.version, coalesce(nullif(e.user_id, ''), known.user_id),
           e.type, e.changed_fields, e.actor, e.caller, e.request_id, e.trace_id,
           decode(e.key, 'hex'), e.job_id, e.recorded_at
    FROM json_to_recordset(%s) AS e(
        position bigint, workflow_id uuid, version bigint, user_id text, type text,
        changed_fields text[], actor text, caller text, request_id text, trace_id text, key text,
        job_id text, recorded_at timestamptz
    )
    LEFT JOIN LATERAL (
        SELECT s.user_id FROM event_search AS s
        WHERE e.user_id = '' AND s.workflow_id = e.workflow_id ORDER BY s.position LIMIT 1
    ) AS known ON true
    WHERE e.user_id <> '' OR known.user_id IS NOT NULL
"""
_TIMES = """
    INSERT INTO feed_times (position, latest, earliest)
    SELECT %(position)s, greatest(%(latest)s::timestamptz, (
        SELECT latest FROM feed_times ORDER BY position DESC LIMIT 1
    )), %(earliest)s
"""


class SearchFollower:
    """A Follower; its table may be emptied, and is then filled again from the beginning."""

    name = NAME
    reads_content = True
    is_stored_with_events = True

    def __init__(self, digests: LedgerDigests) -> None:
        self._digests = digests

    def begin(self, place: FollowerPlace | None, end: FeedEnd) -> int:
        """See Follower."""
        return goes_on(place, end)

    def handle(self, batch: FeedBatch, connection: Connection[Any]) -> None:
        """See Follower."""
        recorded = [decode(event) for event in batch.events]
        entries = self._entries(recorded, connection)
        if entries:
            text = orjson.dumps([entry._asdict() for entry in entries]).decode()
            connection.execute(_INSERT, (text,))
        times = [event.recorded_at for event in recorded]
        _enter_times(connection, batch.position, times)

    def rest(self) -> None:
        """See Follower."""

    def _entries(
        self, recorded: Sequence[RecordedEvent], connection: Connection[Any]
    ) -> list[SearchEntry]:
        before = _states_before(recorded, connection)
        made = (entry_of(event, before.get(event.position)) for event in recorded)
        return list(_with_owners(self._keyed(entry) for entry in made if entry))

    def _keyed(self, entry: SearchEntry) -> SearchEntry:
        return entry._replace(key=self._digests.search(entry.key).hex()) if entry.key else entry


def _states_before(
    recorded: Sequence[RecordedEvent], connection: Connection[Any]
) -> dict[int, Workflow | None]:
    """The states before the events that are not told without it, by their positions."""
    wanted = [event for event in recorded if needs_state(event)]
    versions = [Version(event.workflow_id, event.version - 1) for event in wanted]
    found = states(Snapshot(connection), versions)
    return {
        event.position: state if isinstance(state, Workflow) else None
        for event, state in zip(wanted, found, strict=True)
    }


def _with_owners(entries: Iterable[SearchEntry]) -> Iterator[SearchEntry]:
    """The entries with the owners that earlier ones among them tell."""
    owners: dict[str, str] = {}
    for entry in entries:
        if entry.user_id:
            owners[entry.workflow_id] = entry.user_id
            yield entry
        else:
            yield entry._replace(user_id=owners.get(entry.workflow_id, ""))


def _enter_times(connection: Connection[Any], position: int, times: Sequence[datetime]) -> None:
    bounds = {"position": position, "latest": max(times), "earliest": min(times)}
    connection.execute(_TIMES, bounds)


def begin_search_again(connection: Connection[Any]) -> None:
    """Empties the table and lets the follower fill it again, whichever process runs it."""
    with connection.transaction():
        connection.execute("SELECT FROM followers WHERE name = %s FOR UPDATE", (NAME,))
        connection.execute("DELETE FROM event_search")
        connection.execute("DELETE FROM feed_times")
        connection.execute("UPDATE followers SET position = 0 WHERE name = %s", (NAME,))
