"""The rebuild of the rows on PostgreSQL: see application/rebuild.py."""

from collections.abc import Collection, Iterator
from time import sleep
from typing import Any

from psycopg import Connection
from psycopg.errors import LockNotAvailable

from application.folds import Folded, fold
from application.rebuild import Compared, Followed
from infrastructure.eventstore.feed import decode, read_feed
from infrastructure.eventstore.streams import after_workflow, read_streams
from infrastructure.readmodel.comparison import compare_all, compare_some
from infrastructure.readmodel.shadow import WRITING, RebuildRefused, ShadowWriter, read_rows
from infrastructure.readmodel.switch import build_indexes, exchange, holders

FOLLOWED = 5000  # events at a time
ROOM = 16 * 1024 * 1024  # bytes
TRIES = 20  # to get the table for the switch
PAUSE = 0.5  # seconds between two tries

_APPEND_LOCK = "SELECT pg_advisory_xact_lock(5005201)"


class PostgresShadowTable:
    """A ShadowTable that this session has claimed."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._writer = ShadowWriter(connection)
        self._step, self._filled_id, self._filled, self._position = _state(connection)
        [(self._total,)] = connection.execute(
            "SELECT coalesce(max(notification_id), 0) FROM workflow_events"
        ).fetchall()

    @property
    def total(self) -> int:
        """See ShadowTable.total."""
        return int(self._total)

    @property
    def filled(self) -> int:
        """See ShadowTable.filled."""
        return self._filled

    def fill(self) -> Iterator[None]:
        """See ShadowTable.fill."""
        while self._step == "fill":
            self._writer.begin()
            yield from self._fill()

    def _fill(self) -> Iterator[None]:
        """Fills until the end, or until an event is forgotten: then what was folded is void."""
        place, last = after_workflow(self._filled_id), None
        while True:
            events = read_streams(self._connection, place)
            whole: list[Folded] = []
            for stored in events:
                if last is not None and last.workflow_id != stored.workflow_id:
                    whole.append(last)
                    last = None
                last = fold(last, decode(stored))
                place = place._replace(workflow_id=stored.workflow_id, version=stored.version)
            if not events and last is not None:
                whole.append(last)
            if not self._filled_with(whole, "follow" if not events else "fill"):
                return
            yield
            if not events:
                return

    def _filled_with(self, whole: list[Folded], step: str) -> bool:
        filled = self._filled + sum(each.version for each in whole)
        reached = whole[-1].workflow_id if whole else self._filled_id
        progress = "step = %s, filled_id = %s, filled_events = %s"
        if not self._writer.write(whole, progress, (step, reached, filled)):
            return False
        self._step, self._filled_id, self._filled = step, reached, filled
        return True

    def index(self) -> Iterator[str]:
        """See ShadowTable.index."""
        return build_indexes(self._connection)

    def follow(self) -> Followed:
        """See ShadowTable.follow."""
        while True:
            self._writer.begin()
            batch = read_feed(self._connection, self._position, FOLLOWED, ROOM)
            rows = read_rows(self._connection, {event.workflow_id for event in batch.events})
            changed: dict[str, Folded] = {}
            for stored in batch.events:
                before = changed.get(stored.workflow_id) or rows.get(stored.workflow_id)
                if before is None and stored.version > 1:
                    continue  # It has no row because something of it was forgotten.
                if before is not None and stored.version <= before.version:
                    continue  # It was filled with this event already.
                changed[stored.workflow_id] = fold(before, decode(stored))
            moved = list(changed.values())
            if self._writer.write(moved, "followed_position = %s", (batch.position,)):
                self._position = batch.position
                return Followed({event.workflow_id for event in batch.events}, batch.behind)

    def compare(self) -> Iterator[Compared]:
        """See ShadowTable.compare."""
        return compare_all(self._connection)

    def compare_some(self, ids: Collection[str]) -> Compared:
        """See ShadowTable.compare_some."""
        return compare_some(self._connection, ids)

    def switch(self) -> Compared:
        """See ShadowTable.switch. Raises RebuildRefused if somebody keeps the live table."""
        for _ in range(TRIES):
            position = self._position
            try:
                return self._switch()
            except LockNotAvailable:
                self._position = position
            sleep(PAUSE)
            while self.follow().behind:
                pass
        raise RebuildRefused(
            "The table of workflows is kept by others, so the new one cannot take its place:"
            f" {holders(self._connection) or 'they ended just now'}."
            " Run this again when they are done: it goes on where it ended."
        )

    def _switch(self) -> Compared:
        with self._connection.transaction():
            self._connection.execute("SET LOCAL lock_timeout = '2s'")
            self._connection.execute(WRITING)
            self._connection.execute(_APPEND_LOCK)
            changed: set[str] = set()
            behind = 1
            while behind:
                followed = self.follow()
                behind = followed.behind
                changed.update(followed.changed)
            compared = self.compare_some(changed)
            exchange(self._connection)
            self._connection.execute("UPDATE row_rebuild SET step = 'kept'")
        return compared


def _state(connection: Connection[Any]) -> tuple[str, str, int, int]:
    [(step, filled_id, filled, position)] = connection.execute(
        "SELECT step, filled_id::text, filled_events, followed_position FROM row_rebuild"
    ).fetchall()
    return step, filled_id, filled, position
