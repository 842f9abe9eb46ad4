"""The follower that fills the table of what events can be found by."""

from collections.abc import Mapping
from typing import Any

import orjson
from psycopg import Connection

from application.followers import FollowerPlace, goes_on
from application.history.states import states
from application.ledger import LedgerDigests
from application.ports import FeedBatch, FeedEnd, Forgotten, Version
from application.search import CHANGED, UPDATED, changed_by, type_named
from infrastructure.eventstore.records import Snapshot
from infrastructure.followers.places import place_of
from infrastructure.search.filling import ENTER, ENTER_TIMES, SPACING

NAME = "search"
_OF_TYPES = orjson.dumps([{"type": each, "fields": CHANGED[each]} for each in CHANGED]).decode()


class SearchFollower:
    """A Follower; its table may be emptied, and is then filled again from the beginning."""

    name = NAME
    reads_content = False
    is_stored_with_events = True

    def __init__(self, digests: LedgerDigests) -> None:
        self._key_prefix = digests.search_prefix

    def begin(self, place: FollowerPlace | None, end: FeedEnd) -> int:
        """See Follower."""
        return goes_on(place, end)

    def handle(self, batch: FeedBatch, connection: Connection[Any]) -> None:
        """See Follower."""
        updated = _changed_by_updates(batch, connection)
        asked = {
            "after": batch.after,
            "up_to": batch.position,
            "of_types": _OF_TYPES,
            "key_prefix": self._key_prefix,
            "spacing": SPACING,
            "updated": orjson.dumps(updated).decode(),
        }
        creations = sum(event.version == 1 for event in batch.events)
        if creations:
            connection.execute(ENTER, {**asked, "creations": True})
        if creations < len(batch.events):
            connection.execute(ENTER, {**asked, "creations": False})
        connection.execute(ENTER_TIMES, asked)

    def rest(self) -> None:
        """See Follower."""


def _changed_by_updates(batch: FeedBatch, connection: Connection[Any]) -> list[Mapping[str, Any]]:
    """The fields that each Updated changed: for no other event does that depend on the state."""
    wanted = [
        Version(event.workflow_id, event.version)
        for event in batch.events
        if type_named(event.name) == UPDATED
    ]
    if not wanted:
        return []
    record = Snapshot(connection)
    before = states(record, [Version(each.workflow_id, each.version - 1) for each in wanted])
    return [
        {"position": recorded.position, "fields": changed_by(state, recorded.event)}
        for recorded, state in zip(record.events(wanted), before, strict=True)
        if not isinstance(recorded.event, Forgotten) and not isinstance(state, Forgotten)
    ]


def begin_search_again(connection: Connection[Any]) -> int:
    """Empties the table and lets the follower fill it again, whichever process runs it.

    Times are written anew one by one, so that moments of the past are found meanwhile. Needs the
    role that migrates. Returns the position that the follower had reached.
    """
    with connection.transaction():
        place = place_of(connection, NAME)
        connection.execute("TRUNCATE event_search")
        connection.execute("UPDATE followers SET position = 0 WHERE name = %s", (NAME,))
    return 0 if place is None else place.position
