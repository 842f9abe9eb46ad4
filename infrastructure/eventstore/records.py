"""The record as histories read it: events of workflows, candidates of lists, one snapshot each."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any

from psycopg import Connection, IsolationLevel
from psycopg.errors import QueryCanceled

from application.ports import (
    Candidate,
    ErasureMark,
    LedgerEntry,
    LedgerKey,
    Place,
    Record,
    RecordedEvent,
    SearchTooBroad,
    Span,
    StoredDataDamaged,
    StoredEvent,
    TimeNotFound,
    Version,
)
from application.ports.history import T
from infrastructure.eventstore import statements
from infrastructure.eventstore.feed import decode, feed_end
from infrastructure.eventstore.landmarks import LANDMARKS
from infrastructure.eventstore.shapes import SHAPES
from infrastructure.postgres.connection import BoundedConnection, array_of
from infrastructure.postgres.session import Session
from infrastructure.readmodel.candidates import CANDIDATES, candidate_of

ANSWER_WITHIN = 2  # seconds that one statement may take
TIME_WITHIN = 1.5  # seconds in which a time must be found in the feed
SCANNED = 20_000  # events at a time, when a time is looked for
ROOM = 4 * 1024 * 1024
"""How many bytes of events are in memory at a time, unless one event is larger."""
AT_ONCE = 256
"""How many events are read at a time."""
_LAST_POSSIBLE = 2**63 - 1


def configure_histories(connection: Connection[Any]) -> None:
    """Sets what a session that reads histories needs: call it with each new connection.

    Each statement walks an index in the order of its answer. For a table that was never analysed,
    or a workflow with far more events than others, a plan would otherwise read and sort them all.
    """
    connection.execute(
        "SET enable_sort = off; SET enable_bitmapscan = off;"
        f" SET statement_timeout = '{ANSWER_WITHIN}s'"
    )
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True


class PostgresRecords:
    """Records on one session of its own: made for one thread."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ask(self, question: Callable[[Record], T]) -> T:
        """See Records.ask."""

        def within(connection: BoundedConnection) -> T:
            with connection.transaction():
                return question(Snapshot(connection))

        return self._session.read(within)


class Snapshot:
    """A Record in an open transaction; it sees one moment if the transaction does."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        feed, position = feed_end(connection)
        self._place = Place(position, feed)

    @property
    def place(self) -> Place:
        """See Record.place."""
        return self._place

    def last_version(self, workflow_id: str) -> int:
        """See Record.last_version."""
        [(version,)] = self._rows(statements.LAST_VERSION, (workflow_id,))
        return int(version)

    def page(
        self, workflow_id: str, span: Span, limit: int, room: int
    ) -> tuple[Sequence[RecordedEvent], bool]:
        """See Record.page."""
        names = tuple(name for name in SHAPES if name.partition(".")[0] in span.types)
        asked = {
            "id": workflow_id,
            "above": span.above,
            "below": span.below,
            "limit": limit,
            "room": room,
        }
        rows = self._rows(statements.page(names, newest_first=span.newest_first), asked)
        return [_event(row) for row in rows if row[0]], not all(row[0] for row in rows)

    def landmarks(self, versions: Collection[Version]) -> Mapping[Version, Sequence[Version]]:
        """See Record.landmarks."""
        found = {each: [Version(each.workflow_id, 1)] for each in versions}
        ids = array_of(each.workflow_id for each in versions)
        numbers = array_of(str(each.version) for each in versions)
        if versions:
            for workflow_id, version, landmark in self._rows(LANDMARKS, (ids, numbers)):
                found[Version(workflow_id, version)].append(Version(workflow_id, landmark))
        return found

    def events(self, versions: Sequence[Version]) -> Iterator[RecordedEvent]:
        """See Record.events."""
        start = 0
        while start < len(versions):
            wanted = versions[start : start + AT_ONCE]
            read_now = self._read(wanted)
            for version in wanted:
                if version not in read_now:
                    break
                yield read_now[version]
                start += 1

    def versions_at(self, workflow_ids: Collection[str], position: int) -> Mapping[str, int]:
        """See Record.versions_at."""
        rows = self._rows(
            statements.VERSIONS_AT, {"ids": array_of(workflow_ids), "position": position}
        )
        found = dict(rows)
        for workflow_id in workflow_ids:
            if workflow_id not in found:
                raise StoredDataDamaged(f"an event of workflow {workflow_id} is missing")
        return found

    def position_at(self, time: datetime) -> int:
        """See Record.position_at."""
        give_up_at = monotonic() + TIME_WITHIN
        [(position,)] = self._rows(statements.BEGIN_BEFORE, (time, self._place.position))
        while position < self._place.position:
            reached = min(position + SCANNED, self._place.position)
            [(later,)] = self._rows(statements.FIRST_LATER, (position, reached, time))
            if later is not None:
                return int(later) - 1
            position = reached
            if monotonic() > give_up_at:
                raise TimeNotFound
        return int(position)

    def candidates(
        self, user_id: str, position: int, before: int | None, limit: int, room: int
    ) -> Sequence[Candidate]:
        """See Record.candidates."""
        earlier = position + 1 if before is None else before
        rows = self._rows(
            CANDIDATES,
            {
                "user_id": user_id,
                "position": position,
                "before": min(earlier, position + 1),
                "limit": limit,
                "room": room,
            },
        )
        return [candidate_of(row) for row in rows]

    def erasures(self, workflow_ids: Collection[str]) -> Mapping[str, ErasureMark]:
        """See Record.erasures."""
        rows = self._rows(statements.ERASURES, (array_of(workflow_ids),))
        return {workflow_id: ErasureMark(*mark) for workflow_id, *mark in rows}

    def ledger(self, keys: Collection[LedgerKey]) -> Mapping[LedgerKey, LedgerEntry]:
        """See Record.ledger."""
        rows = self._rows(statements.LOAD_LEDGER, (array_of(key.hex() for key in keys),))
        return {LedgerKey(key): LedgerEntry(*entry) for key, *entry in rows}

    def _read(self, versions: Sequence[Version]) -> Mapping[Version, RecordedEvent]:
        """Some of these events: the first ones, as far as there is room for their content."""
        distinct = dict.fromkeys(versions)
        rows = self._rows(
            statements.EVENTS,
            {
                "ids": array_of(each.workflow_id for each in distinct),
                "versions": array_of(str(each.version) for each in distinct),
                "room": ROOM,
            },
        )
        if len(rows) < len(distinct):
            missing = min(distinct.keys() - {Version(row[1], row[2]) for row in rows})
            raise StoredDataDamaged(
                f"event {missing.version} of workflow {missing.workflow_id} is missing"
            )
        found = [_event(row) for row in rows if row[0]]
        return {Version(event.workflow_id, event.version): event for event in found}

    def _rows(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement, parameters, binary=True).fetchall()
        except QueryCanceled as timeout:
            raise SearchTooBroad from timeout


def _event(row: tuple[Any, ...]) -> RecordedEvent:
    """The event in a row: whether it fits, and the fields of StoredEvent."""
    return decode(StoredEvent._make(row[1:]))
