"""What the database holds, read without the service: events, rows, ledger, and their agreement."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, cast

from workflows_testing.history import LogEntry

from application.ports import Forgotten, RecordedEvent
from domain.workflow import replay
from infrastructure.eventstore.chain import verified
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.identity.origin import CLIENTS
from infrastructure.readmodel.rows import STATE_COLUMNS, workflow_of
from tests.support.database import select, value

_ROWS = (
    f"SELECT id::text, version, position, created_position, digest, {STATE_COLUMNS} FROM workflows"
)
_EVENTS = """
    SELECT topic FROM workflow_events WHERE originator_id = %s ORDER BY originator_version
"""
_LEDGER_ASTRAY = """
    SELECT count(*) FROM command_ledger AS l LEFT JOIN workflow_events AS e
      ON e.originator_id = l.workflow_id AND e.originator_version = l.version
     AND e.notification_id <= l.position
    WHERE e.notification_id IS NULL
"""


def events_of(dsn: str, workflow_id: str) -> Sequence[str]:
    """The stored names of a workflow's events without their version, in order."""
    return [name.removesuffix(".v1") for (name,) in select(dsn, _EVENTS, workflow_id)]


def assert_consistent(dsn: str) -> None:
    """Every row is the fold of its events, positions are gapless, the ledger points at events."""
    rows = select(dsn, _ROWS)
    streams = _streams(dsn)
    assert streams.keys() == {row[0] for row in rows}
    for workflow_id, version, position, created_position, digest, *columns in rows:
        history = list(verified(streams[workflow_id]))
        first, last = history[0], history[-1]
        events = [e.event for e in history if not isinstance(e.event, Forgotten)]
        assert len(history) == len(events)
        assert workflow_of(tuple(columns)) == replay(events)
        assert (version, digest) == (last.version, last.digest)
        assert (created_position, position) == (first.position, last.position)
    assert positions_are_gapless(dsn)
    assert value(dsn, _LEDGER_ASTRAY) == 0


def log_of(dsn: str) -> Sequence[LogEntry]:
    """The whole log, as the history checker reads it."""
    recorded = [event for stream in _streams(dsn).values() for event in stream]
    return [_entry(event) for event in sorted(recorded, key=lambda event: event.position)]


def shown(dsn: str) -> Callable[[str, int], Mapping[str, Any]]:
    """What a read of a workflow at a version must show: the fold of its events."""
    streams = _streams(dsn)

    def fold(workflow_id: str, version: int) -> Mapping[str, Any]:
        events = [e.event for e in streams[workflow_id][:version]]
        workflow = replay(event for event in events if not isinstance(event, Forgotten))
        assert workflow is not None
        right = {
            "interval": workflow.interval,
            "build_status": workflow.build_status,
            "consecutive_job_failures_count": workflow.failures,
            "generation": workflow.generation,
        }
        return {name: value or None for name, value in right.items()}

    return fold


def _entry(recorded: RecordedEvent) -> LogEntry:
    assert not isinstance(recorded.event, Forgotten)
    assert not isinstance(recorded.metadata, Forgotten)
    return LogEntry(
        workflow_id=recorded.workflow_id,
        version=recorded.version,
        position=recorded.position,
        name=recorded.event.stored_name,
        request_id=recorded.metadata.origin.request_id.removeprefix(CLIENTS),
    )


def _streams(dsn: str) -> Mapping[str, Sequence[RecordedEvent]]:
    """Each workflow's events, as the log reads them from the feed."""
    streams: dict[str, list[RecordedEvent]] = defaultdict(list)
    with closing(WorkflowLog(dsn)) as log:
        start = 1
        while notifications := log.recorder.select_notifications(start, 1000):
            for notification in notifications:
                recorded = cast("RecordedEvent", log.mapper.to_domain_event(notification))
                assert recorded.position == notification.id
                streams[recorded.workflow_id].append(recorded)
            start = notifications[-1].id + 1
    return streams


def positions_are_gapless(dsn: str) -> bool:
    """Whether the feed has each position from 1 to its last exactly once."""
    found = select(dsn, "SELECT notification_id FROM workflow_events ORDER BY notification_id")
    return [position for (position,) in found] == list(range(1, len(found) + 1))
