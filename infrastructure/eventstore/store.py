"""The event store: loads the streams that commands are decided on, and appends the changes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import uuid4

import structlog
from psycopg import Error

from application.folds import evolved
from application.ports import (
    AppendRefused,
    Change,
    Feed,
    Forgotten,
    LedgerEntry,
    LedgerKey,
    Loaded,
    OutcomeUnknown,
    RecordedEvent,
    StoredDataDamaged,
    StoreUnavailable,
    Stream,
    UserBeingErased,
)
from domain.workflow import Workflow
from infrastructure.eventstore.append import parameters
from infrastructure.eventstore.horizon import WOUND_BACK, Horizon, wound_back
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.eventstore.settlement import settle
from infrastructure.eventstore.statements import LOAD_LEDGER
from infrastructure.postgres.connection import BoundedConnection, array_of
from infrastructure.postgres.session import AGAIN_WITHIN, Session
from infrastructure.postgres.sqlstates import DAMAGE, TOO_SLOW, UNKNOWN, is_certain
from infrastructure.readmodel.rows import STATE_COLUMNS, USABLE, workflow_of
from infrastructure.telemetry.observer import InertObserver, Observer

# A stream whose row is missing is found too, with an empty row: its events are there.
LOAD_STREAMS = f"""
    SELECT asked.id::text, w.version, w.position, w.digest, {USABLE} AS usable, {STATE_COLUMNS}
    FROM unnest(%s::uuid[]) AS asked(id) LEFT JOIN workflows AS w ON w.id = asked.id
    WHERE w.id IS NOT NULL
       OR EXISTS (SELECT FROM workflow_events AS e WHERE e.originator_id = asked.id)
"""  # noqa: S608 - the columns are a constant
APPEND = """
    SELECT last_position, current_epoch, left_out::text[]
    FROM append_events_v1(%s, %s, %s, %s, %s, %s, %s, %b, %s, %s, %s)
"""


FENCED = "WF004"
"""The SQLSTATE with which an append is refused if one of its users is being erased."""

_log = structlog.get_logger()


class PostgresEventStore:
    """An EventStore on one session of its own: made for one thread that batches."""

    def __init__(
        self,
        session: Session,
        log: WorkflowLog,
        clock: Callable[[], datetime],
        horizon: Horizon,
        observer: Observer | None = None,
    ) -> None:
        """`horizon` is shared by all sessions of a process; it checks each new connection."""
        self._session = session
        self._log = log
        self._clock = clock
        self._horizon = horizon
        self._observer = observer or InertObserver()

    @property
    def current_feed(self) -> Feed:
        """See EventStore.current_feed."""
        return self._horizon.feed

    def load(self, ids: Collection[str], keys: Collection[LedgerKey]) -> Loaded:
        """See EventStore.load.

        A stream whose row is missing, of another shape or behind its events is replayed, and its
        row is restored.
        """
        rows, entries = self._session.read(lambda connection: _select(connection, ids, keys))
        streams = {row[0]: self._stream(row) for row in rows}
        if any(stream.rebuilt for stream in streams.values()):
            self._restore(streams)
        ledger = {LedgerKey(row[0]): LedgerEntry(*row[1:]) for row in entries}
        return Loaded(streams, ledger)

    def append(self, changes: Sequence[Change]) -> Mapping[str, int]:
        """See EventStore.append.

        One round trip; one more for the rest if changes had to be left out, and one question
        after a lost connection.
        """
        append_id = str(uuid4())
        fitting = list(changes)
        while fitting:
            began = monotonic()
            self._session.connection()  # A new connection reads the current epoch.
            epoch = self._horizon.feed.epoch
            try:
                last_position, left_out = self._call(append_id, fitting)
            except Error as error:
                passed = monotonic() - began
                ends = self._after(error, append_id, epoch, fitting, passed)
                if not ends and passed > AGAIN_WITHIN:
                    # Nothing was recorded and nothing changed: this is a time-out, no conflict.
                    raise self._session.refusal(TOO_SLOW, error) from error
                return ends
            if not left_out:
                ends, events = _ends(fitting, last_position)
                self._observer.appended(events, monotonic() - began)
                return ends
            self._observer.conflicted(len(left_out))
            fitting = [change for change in fitting if change.workflow_id not in left_out]
        return {}

    def _restore(self, streams: Mapping[str, Stream]) -> None:
        """Writes the rows of rebuilt streams, each unless another process has written it first."""
        rebuilt = [
            Change(workflow_id, stream, stream.workflow)
            for workflow_id, stream in streams.items()
            if stream.rebuilt and not isinstance(stream.workflow, Forgotten)
        ]
        try:
            self.append(rebuilt)
        except (StoreUnavailable, OutcomeUnknown, AppendRefused, UserBeingErased) as failed:
            # The states are right all the same; the next read tries again.
            _log.warning("rows not restored", count=len(rebuilt), why=str(failed))

    def _call(self, append_id: str, changes: Sequence[Change]) -> tuple[int, Sequence[str]]:
        batch = parameters(changes, self._clock())
        with self._session.connection().cursor() as cursor:
            seen = (self._horizon.feed.epoch, self._horizon.position)
            cursor.execute(APPEND, (append_id, *seen, *batch))
            [(last_position, epoch, left_out)] = cursor.fetchall()
        added = 0 if left_out else sum(len(change.events) for change in changes)
        self._horizon.saw(epoch, last_position + added)
        return last_position, left_out

    def _after(
        self, error: Error, append_id: str, epoch: int, changes: Sequence[Change], passed: float
    ) -> Mapping[str, int]:
        """What a failed append recorded, if that can be known; raises otherwise."""
        trouble = self._session.trouble(error)
        if error.sqlstate == WOUND_BACK:
            refusal = wound_back(self._horizon.position)
            self._session.tell(refusal)
            raise refusal from error
        if error.sqlstate == FENCED:
            raise UserBeingErased from error
        if not is_certain(error):
            ends = settle(self._session, append_id, epoch, changes, passed=passed)
            self._observer.settled(recorded=bool(ends))
            return ends
        if trouble is DAMAGE:
            raise StoredDataDamaged(f"stored data cannot be read: {error}") from error
        if trouble is UNKNOWN:
            raise AppendRefused("the database refused the append") from error
        raise self._session.refusal(trouble, error) from error

    def _stream(self, row: tuple[Any, ...]) -> Stream:
        if row[4]:
            return Stream(workflow_of(row[5:]), row[1], row[2], row[3])
        return self._replay(row[0])

    def _replay(self, workflow_id: str) -> Stream:
        workflow: Workflow | Forgotten | None = None
        last: RecordedEvent | None = None
        for last in self._log.history(workflow_id):
            workflow = evolved(workflow, last.event)
        if workflow is None or last is None:
            raise StoredDataDamaged(f"workflow {workflow_id} has a row and no events")
        return Stream(workflow, last.version, last.position, last.digest, rebuilt=True)


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


def _ends(changes: Sequence[Change], last_position: int) -> tuple[Mapping[str, int], int]:
    """The end position of each change, and the count of events: positions follow one another."""
    ends, before = {}, last_position
    for change in changes:
        last_position += len(change.events)
        ends[change.workflow_id] = change.position(change.version, last_position)
    return ends, last_position - before
