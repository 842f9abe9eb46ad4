"""Rows and ledger of a PostgreSQL beside its events; the service may go on meanwhile."""

from collections.abc import Iterator, Sequence, Set
from random import sample
from typing import Any

from psycopg import Connection, IsolationLevel

from application.check import CheckedRow, Finding, Kind, Part, claim_of, row_finding
from application.folds import Folded, fold
from application.ports import Forgotten, StoredDataDamaged, StoredEvent
from domain.filters import folded as folded_name
from infrastructure.eventstore.feed import decode
from infrastructure.eventstore.streams import LAST, START, Place, after_workflow, read_streams
from infrastructure.postgres.connection import array_of
from infrastructure.readmodel.entries import CheckedLedger
from infrastructure.readmodel.rows import ROW_SHAPE, STATE_COLUMNS, workflow_of

TOGETHER = 1000  # workflows that changed

# Each part is found by indexes; to join it, a plan of its own accord would read all events again.
_BY_INDEX = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"
_COUNTS = """
    SELECT (SELECT coalesce(max(notification_id), 0) FROM workflow_events),
           (SELECT greatest(reltuples, 0)::bigint FROM pg_class
            WHERE oid = 'command_ledger'::regclass)
"""
_ROWS = f"""
    SELECT id::text, version, position, created_position, digest, name_folded, shape,
           {STATE_COLUMNS}
    FROM workflows WHERE id > %s::uuid AND id <= %s::uuid
"""  # noqa: S608 - constants
_ROWS_OF = f"{_ROWS} AND id = ANY (%s::uuid[])"
_IDS_AT = """
    SELECT DISTINCT originator_id::text FROM workflow_events WHERE notification_id = ANY (%s)
"""
_IDS_WITH_EVENTS = """
    SELECT originator_id::text FROM workflow_events
    WHERE originator_id = ANY (%s::uuid[]) AND originator_version = 1
"""
_IDS_SINCE = """
    SELECT DISTINCT originator_id::text FROM workflow_events WHERE notification_id > %s ORDER BY 1
"""
_ERASED = "SELECT workflow_id::text FROM erased_workflows WHERE workflow_id = ANY (%s::uuid[])"


class CheckedPostgres:
    """A CheckedStore: all workflows and ledger entries, or a sample of each, or the latest."""

    def __init__(
        self, connection: Connection[Any], sampled: int | None = None, *, since: int = 0
    ) -> None:
        """`sampled` is how many workflows and entries to look at; None means all.

        Of all, only those are looked at that have events after the position `since`.
        """
        self._connection = connection
        self._since = since
        self._connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.execute(_BY_INDEX)
        self._sampled = sampled
        self._ledger = CheckedLedger(connection)
        [(self._events, entries)] = connection.execute(_COUNTS).fetchall()
        self._total = 0 if sampled or since else self._events + entries

    @property
    def total(self) -> int:
        """See CheckedStore.total."""
        return int(self._total)

    def parts(self) -> Iterator[Part]:
        """See CheckedStore.parts."""
        if self._since:
            found = self._connection.execute(_IDS_SINCE, (self._since,)).fetchall()
            yield from self.workflows([workflow_id for (workflow_id,) in found])
            yield from self._ledger.since(self._since)
        elif self._sampled is None:
            yield from self._all_workflows()
            yield from self._ledger.all()
        else:
            yield from self._some_workflows(self._sampled)
            yield from self._ledger.some(self._sampled)

    def _all_workflows(self) -> Iterator[Part]:
        """Each part reads events and rows in one snapshot, so that they must agree."""
        walk = _Walk(self._connection)
        while not walk.ended:
            with self._connection.transaction():
                part = walk.step()
            yield part

    def workflows(self, ids: Sequence[str]) -> Iterator[Part]:
        """Compares the rows of these workflows, whose ids are in order."""
        for begin in range(0, len(ids), TOGETHER):
            walk = _Walk(self._connection, ids=ids[begin : begin + TOGETHER])
            while not walk.ended:
                with self._connection.transaction():
                    part = walk.step()
                yield part

    def _some_workflows(self, count: int) -> Iterator[Part]:
        drawn = sample(range(1, self._events + 1), min(count, self._events))
        ids = self._connection.execute(_IDS_AT, (drawn,)).fetchall()
        for (workflow_id,) in ids:
            before = _before(workflow_id)
            with self._connection.transaction():
                walk = _Walk(self._connection, before, workflow_id)
                while not walk.ended:
                    part = walk.step()
                    yield part


class _Walk:
    """A walk over workflows in the order of ids, from after `first` to `last`.

    It visits all of them, or those of `ids`.
    """

    def __init__(
        self,
        connection: Connection[Any],
        first: str = START.workflow_id,
        last: str = LAST,
        ids: Sequence[str] | None = None,
    ) -> None:
        self.ended = False
        self._ids = ids
        self._connection = connection
        self._compared, self._end = first, last
        self._place = after_workflow(first)
        self._open: Folded | None = None
        self._begun = ""  # the workflow whose first events were read in an earlier snapshot

    def step(self) -> Part:
        """Reads the next events, and compares the workflows whose last event was read."""
        events = read_streams(self._connection, self._place, self._end, ids=self._ids)
        self._begun = self._open.workflow_id if self._open else ""
        self.ended = not events
        whole: dict[str, Folded] = {}
        findings: list[Finding] = []
        broken: set[str] = set()
        for stored in events:
            self._place = self._place._replace(
                workflow_id=stored.workflow_id, version=stored.version
            )
            if stored.workflow_id in broken:
                continue
            try:
                self._fold(stored, whole)
            except StoredDataDamaged as damage:
                broken.add(stored.workflow_id)
                self._open = None
                findings.append(Finding(Kind.UNREADABLE, stored.workflow_id, str(damage)))
        if self._place.workflow_id in broken:
            self._place = after_workflow(self._place.workflow_id)
        if self.ended and self._open:
            whole[self._open.workflow_id] = self._open
        findings += self._compare(whole, broken)
        return Part("rows", len(events), len(whole) + len(broken), findings)

    def _fold(self, stored: StoredEvent, whole: dict[str, Folded]) -> None:
        before, self._open = self._open, None
        if before is not None and before.workflow_id != stored.workflow_id:
            whole[before.workflow_id] = before
            before = None
        self._open = fold(before, decode(stored))

    def _compare(self, whole: dict[str, Folded], broken: set[str]) -> list[Finding]:
        last = max([*whole, *broken], default=self._compared)
        end = self._end if self.ended else last
        rows = _rows(self._connection, self._compared, end, self._ids)
        self._compared = last
        found = [self._compared_with(rows.pop(each, None), whole[each]) for each in whole]
        strange = [
            Finding(Kind.SURPLUS, each, "it has no events", claim=claim_of(rows[each].folded))
            for each in self._without_events(rows.keys() - broken)
        ]
        lost = self._lost([each for each in whole.values() if isinstance(each.workflow, Forgotten)])
        return [*filter(None, found), *strange, *lost]

    def _compared_with(self, row: CheckedRow | None, folded: Folded) -> Finding | None:
        finding = _compared(folded, row)
        if finding is None or folded.workflow_id != self._begun:
            return finding
        try:
            again = self._folded(folded.workflow_id)
        except StoredDataDamaged as damage:
            return Finding(Kind.UNREADABLE, folded.workflow_id, str(damage))
        return _compared(again, row) if again else None

    def _folded(self, workflow_id: str) -> Folded | None:
        """A workflow from the first event on: it may have been erased since those were read."""
        folded: Folded | None = None
        place = Place(workflow_id, 0)
        while events := read_streams(self._connection, place, workflow_id):
            for stored in events:
                folded = fold(folded, decode(stored))
            place = Place(workflow_id, events[-1].version)
        return folded

    def _without_events(self, ids: Set[str]) -> Set[str]:
        """Those that have no events: others were created after the events before them were read."""
        if not ids:
            return ids
        found = self._connection.execute(_IDS_WITH_EVENTS, (array_of(ids),)).fetchall()
        return ids - {workflow_id for (workflow_id,) in found}

    def _lost(self, forgotten: Sequence[Folded]) -> Iterator[Finding]:
        """Those of which no erasure took the content away."""
        if not forgotten:
            return
        ids = array_of(each.workflow_id for each in forgotten)
        erased = {row[0] for row in self._connection.execute(_ERASED, (ids,)).fetchall()}
        for each in forgotten:
            if each.workflow_id not in erased:
                yield Finding(Kind.LOST, each.workflow_id, "", each.created_position)


def _compared(folded: Folded, row: CheckedRow | None) -> Finding | None:
    workflow = folded.workflow
    name = "" if isinstance(workflow, Forgotten) else folded_name(workflow.name)
    return row_finding(folded, row, name)


def _rows(
    connection: Connection[Any], after: str, last: str, ids: Sequence[str] | None
) -> dict[str, CheckedRow]:
    if ids is None:
        rows = connection.execute(_ROWS, (after, last)).fetchall()
    else:
        rows = connection.execute(_ROWS_OF, (after, last, array_of(ids))).fetchall()
    return {
        row[0]: CheckedRow(
            Folded(row[0], workflow_of(row[7:]), row[1], row[2], row[3], row[4]),
            row[5],
            row[6] == ROW_SHAPE,
        )
        for row in rows
    }


def _before(workflow_id: str) -> str:
    """The id right before this one."""
    number = max(0, int(workflow_id.replace("-", ""), 16) - 1)
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
