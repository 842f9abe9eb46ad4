"""Pages of lists: read in one statement; around what is lost, outdated or damaged if need be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from psycopg import Connection
from psycopg.errors import QueryCanceled

from application.damage import Damaged
from application.ports import (
    OTHER_BYTES,
    EventStore,
    ListedWorkflow,
    SearchTooBroad,
    Slice,
    StoredDataDamaged,
    StoreUnavailable,
)
from domain.filters import Filters
from infrastructure.postgres.connection import BoundedConnection
from infrastructure.postgres.session import Session
from infrastructure.readmodel.lists import ListStatements, Statement
from infrastructure.readmodel.repairs import Repairs
from infrastructure.readmodel.salvage import Row, Salvage

LIST_WITHIN = 1  # seconds that the database may search for a page
_FIELDS = len(ListedWorkflow._fields)
_PAYLOAD = ListedWorkflow._fields.index("payload")
_NAME = ListedWorkflow._fields.index("name")
_POSITION = ListedWorkflow._fields.index("created_position")
_USABLE, _COMPLETE = _FIELDS, _FIELDS + 1
_NO_FILTERS = Filters()
_AFTER_ALL = 2**63 - 1  # a position that no workflow reaches


def configure_lists(connection: Connection[Any]) -> None:
    """Sets what a session that reads lists needs: call it with each new connection.

    The plan of a list without filters is kept for all users. Without sorts it can only walk the one
    index that has the list's order. Otherwise, for a table that was never analysed or a user with
    far more workflows than others, the plan would sort all of them for each page.
    """
    connection.execute(f"SET enable_sort = off; SET statement_timeout = '{LIST_WITHIN}s'")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The page that is asked for: see WorkflowViews.page."""

    user_id: str
    filters: Filters
    before: int | None
    limit: int
    room: int


@dataclass(slots=True)
class _Found:
    """The rows that a page shows, and where it ends: see Slice."""

    rows: Sequence[Row]
    end: int | None
    unreadable: list[str] = field(default_factory=list)


class Pages:
    """Reads pages on one session: made for one thread."""

    def __init__(self, session: Session, streams: EventStore, damaged: Damaged) -> None:
        self._session = session
        self._repairs = Repairs(session, streams, damaged)

    def page(self, wanted: Wanted) -> Slice:
        """See WorkflowViews.page. Restores rows that are lost or outdated before it answers."""
        found = self._found(wanted)
        unreadable = found.unreadable
        if not (found.rows and all(row[_USABLE] and row[_COMPLETE] for row in found.rows)):
            damaged = self._repaired(wanted.user_id, found)
            if damaged is not None:
                found = self._found(wanted)
                unreadable = [*found.unreadable, *damaged]
        shown = found.rows
        if unreadable:
            shown = [row for row in shown if row[0] not in unreadable]
        if not all(row[_USABLE] for row in shown):
            raise StoreUnavailable(
                "Some workflows of this list must be restored first", reason="STORE_BUSY"
            )
        return Slice([ListedWorkflow._make(row[:_FIELDS]) for row in shown], found.end, unreadable)

    def _repaired(self, user_id: str, found: _Found) -> list[str] | None:
        """The damaged ones of the workflows that had to be restored; None if there were none."""
        complete = bool(found.rows) and found.rows[0][_COMPLETE]
        lost = None if complete else self._repairs.restore_lost(user_id)
        stale = [row[0] for row in found.rows if not row[_USABLE]]
        if lost is None and not stale:
            return None
        return [*(lost or ()), *self._repairs.restore(stale)]

    def _found(self, wanted: Wanted) -> _Found:
        try:
            rows = self._read(wanted)
        except StoredDataDamaged as fault:
            return self._salvaged(wanted, fault)
        shown = [row for row in rows if row[_PAYLOAD] is not None]
        return _Found(shown, shown[-1][_POSITION] if len(shown) < len(rows) else None)

    def _read(self, wanted: Wanted) -> list[Row]:
        statements = ListStatements(
            wanted.user_id, wanted.filters, wanted.before, wanted.limit, wanted.room
        )
        if not wanted.filters.query:
            # Whatever the user, one index serves a list without filters: its plan is kept. With
            # filters, the best index depends on their values.
            return self._rows(statements.page, plain=wanted.filters == _NO_FILTERS)
        rows = self._rows(statements.walk)
        if len(rows) > wanted.limit or not self._rows(statements.beyond)[0][0]:
            return rows
        if not statements.has_trigrams:
            raise SearchTooBroad
        return self._rows(statements.by_name)

    def _rows(self, statement: Statement, *, plain: bool = False) -> list[Row]:
        def select(connection: BoundedConnection) -> list[Row]:
            try:
                if plain:
                    return connection.execute(*statement, prepare=True, binary=True).fetchall()
                with connection.transaction():
                    connection.execute("SET LOCAL enable_sort = on")
                    return connection.execute(*statement, prepare=False, binary=True).fetchall()
            except QueryCanceled as timeout:
                if plain:
                    raise
                raise SearchTooBroad from timeout

        return self._session.read(select)

    def _salvaged(self, wanted: Wanted, fault: StoredDataDamaged) -> _Found:
        """The page without the workflows that cannot be read."""

        def read(before: int, since: int, count: int) -> list[Row]:
            statements = ListStatements(
                wanted.user_id, wanted.filters, before, count, wanted.room, ahead=0, since=since
            )
            return self._rows(statements.page)

        salvage = Salvage(read, itemgetter(_POSITION))
        end = salvage.take(wanted.before or _AFTER_ALL, wanted.limit)
        rows = _within(wanted.room, salvage.rows)
        if len(rows) < len(salvage.rows):
            end = rows[-1][_POSITION]
        damaged = [position for position in salvage.damaged if position >= end]
        return _Found(rows, end or None, self._repairs.named(damaged, fault))


def _within(room: int, rows: Sequence[Row]) -> Sequence[Row]:
    """The rows that fit into so many bytes; the first one fits always."""
    for count, row in enumerate(rows):
        if row[_PAYLOAD] is None:
            return rows[:count]
        room -= len(row[_PAYLOAD].encode()) + len(row[_NAME].encode()) + OTHER_BYTES
        if count and room < 0:
            return rows[:count]
    return rows
