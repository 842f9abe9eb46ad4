"""The event store: what commands are decided on, and the append that records what follows."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import Error, OperationalError
from uuid_utils import uuid7

from application.ports import (
    FORGOTTEN,
    AppendRefused,
    Change,
    Feed,
    Forgotten,
    LedgerEntry,
    LedgerKey,
    Loaded,
    RecordedEvent,
    StoredDataDamaged,
    StoreUnavailable,
    Stream,
)
from domain.events import WorkflowEvent
from domain.workflow import Workflow, evolve
from infrastructure.eventstore.append import parameters
from infrastructure.eventstore.horizon import WOUND_BACK, Horizon, wound_back
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.eventstore.settlement import settle
from infrastructure.postgres.connection import BoundedConnection, array_of
from infrastructure.postgres.session import Session
from infrastructure.readmodel.rows import ROW_SHAPE, STATE_COLUMNS, workflow_of
from infrastructure.telemetry.observer import InertObserver, Observer

# A stream whose row is missing is found too, with an empty row: its events are there.
LOAD_STREAMS = f"""
    SELECT asked.id::text, w.version, w.position, w.digest, w.shape, {STATE_COLUMNS}
    FROM unnest(%s::uuid[]) AS asked(id) LEFT JOIN workflows AS w ON w.id = asked.id
    WHERE w.id IS NOT NULL
       OR EXISTS (SELECT FROM workflow_events AS e WHERE e.originator_id = asked.id)
"""  # noqa: S608 - the columns are a constant
LOAD_LEDGER = """
    SELECT l.key, l.workflow_id::text, l.request_digest, l.version, l.threshold_reached, l.position
    FROM unnest(%s::text[]) AS asked(key)
    JOIN command_ledger AS l ON l.key = decode(asked.key, 'hex')
"""
APPEND = """
    SELECT last_position, current_epoch, left_out::text[]
    FROM append_events_v1(%s, %s, %s, %s, %s, %s, %s, %b, %s, %s, %s)
"""


class PostgresEventStore:
    """An EventStore on one session of its own: made for one thread that batches."""

    def __init__(
        self,
        session: Session,
        log: WorkflowLog,
        clock: Callable[[], datetime],
        horizon: Horizon | None = None,
        observer: Observer | None = None,
    ) -> None:
        """`horizon` is shared by all sessions of a process."""
        self._session = session
        self._log = log
        self._clock = clock
        self._horizon = horizon or Horizon()
        self._observer = observer or InertObserver()

    @property
    def current_feed(self) -> Feed:
        """See EventStore.current_feed."""
        return self._horizon.feed

    def load(self, ids: Collection[str], keys: Collection[LedgerKey]) -> Loaded:
        """See EventStore.load. A stream whose row is missing or outdated is replayed."""
        rows, entries = self._session.read(lambda connection: _select(connection, ids, keys))
        streams = {row[0]: self._stream(row) for row in rows}
        ledger = {LedgerKey(row[0]): LedgerEntry(*row[1:]) for row in entries}
        return Loaded(streams, ledger)

    def append(self, changes: Sequence[Change]) -> Mapping[str, int]:
        """See EventStore.append.

        One round trip; one more for the rest where changes had to be left out, and one question
        after a lost connection.
        """
        append_id = str(uuid7())
        fitting = list(changes)
        while fitting:
            try:
                last_position, left_out = self._call(append_id, fitting)
            except Error as error:
                if self._session.is_lost():
                    return settle(self._session, append_id, fitting)
                if error.sqlstate == WOUND_BACK:
                    raise wound_back(self._horizon.position) from error
                if isinstance(error, OperationalError):
                    raise StoreUnavailable("the database could not take the append") from error
                raise AppendRefused("the database refused the append") from error
            if not left_out:
                return _positions(fitting, last_position)
            fitting = [change for change in fitting if change.workflow_id not in left_out]
        return {}

    def _call(self, append_id: str, changes: Sequence[Change]) -> tuple[int, Sequence[str]]:
        batch = parameters(changes, self._clock())
        with self._session.connection().cursor() as cursor:
            seen = (self._horizon.feed.epoch, self._horizon.position)
            cursor.execute(APPEND, (append_id, *seen, *batch))
            [(last_position, epoch, left_out)] = cursor.fetchall()
        added = 0 if left_out else sum(len(change.events) for change in changes)
        self._horizon.saw(epoch, last_position + added)
        return last_position, left_out

    def _stream(self, row: tuple[Any, ...]) -> Stream:
        if row[4] == ROW_SHAPE:
            return Stream(workflow_of(row[5:]), row[1], row[2], row[3])
        return self._replay(row[0])

    def _replay(self, workflow_id: str) -> Stream:
        workflow: Workflow | Forgotten | None = None
        last: RecordedEvent | None = None
        for last in self._log.history(workflow_id):
            workflow = _evolved(workflow, last.event)
        if workflow is None or last is None:
            raise StoredDataDamaged(f"workflow {workflow_id} has a row and no events")
        return Stream(workflow, last.version, last.position, last.digest, rebuilt=True)


def _evolved(
    workflow: Workflow | Forgotten | None, event: WorkflowEvent | Forgotten
) -> Workflow | Forgotten:
    """The state after an event; once anything is forgotten, so is the state."""
    if isinstance(event, Forgotten) or isinstance(workflow, Forgotten):
        return FORGOTTEN
    try:
        return evolve(workflow, event)
    except ValueError as impossible:
        raise StoredDataDamaged(str(impossible)) from impossible


def _select(
    connection: BoundedConnection, ids: Collection[str], keys: Collection[LedgerKey]
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    streams: list[tuple[Any, ...]] = []
    entries: list[tuple[Any, ...]] = []
    wanted = array_of(key.hex() for key in keys)
    if ids and keys:
        with connection.pipeline():
            found = connection.execute(LOAD_STREAMS, (array_of(ids),))
            taken = connection.execute(LOAD_LEDGER, (wanted,))
            streams, entries = found.fetchall(), taken.fetchall()
    elif ids:
        streams = connection.execute(LOAD_STREAMS, (array_of(ids),)).fetchall()
    elif keys:
        entries = connection.execute(LOAD_LEDGER, (wanted,)).fetchall()
    return streams, entries


def _positions(changes: Sequence[Change], last_position: int) -> Mapping[str, int]:
    """Where each change ends: positions follow one another in the order of changes."""
    positions = {}
    for change in changes:
        last_position += len(change.events)
        positions[change.workflow_id] = change.position(change.version, last_position)
    return positions
