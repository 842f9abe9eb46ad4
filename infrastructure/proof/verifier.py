"""The verification of single workflows on a session of its own."""

from collections.abc import Callable
from datetime import datetime

from application.ports import StoredDataDamaged
from application.verification.findings import WorkflowReport
from domain.errors import WorkflowNotFound
from domain.events import Created
from infrastructure.eventstore.feed import decode
from infrastructure.eventstore.streams import Place, read_streams
from infrastructure.postgres.connection import BoundedConnection
from infrastructure.postgres.session import Session
from infrastructure.proof.apart import WorkflowJob, workflow_verified_apart
from infrastructure.proof.logs import Logs
from infrastructure.proof.verifying import STALE_AFTER, Verification

LARGE = 2000  # events: a workflow that has more is verified in a process of its own
_EVENTS = """
    SELECT coalesce(max(originator_version), 0) FROM workflow_events WHERE originator_id = %s
"""
_OWNER_IN_ROW = "SELECT user_id FROM workflows WHERE id = %s"


def read_only(connection: BoundedConnection) -> None:
    """Lets a connection change nothing: call it with each new one."""
    connection.read_only = True


class SessionVerifier:
    """Implements Verifier on a session whose connections are `read_only`."""

    def __init__(
        self,
        session: Session,
        logs: Logs | None,
        now: Callable[[], datetime],
        database: str,
        large: int = LARGE,
    ) -> None:
        """A workflow of more than `large` events is verified apart, by a connection of its own."""
        self._session = session
        self._database = database
        self._large = large
        self._logs = logs
        self._now = now

    def owner(self, workflow_id: str) -> str | None:
        """See Verifier.owner."""
        return self._session.read(lambda connection: _owner(connection, workflow_id))

    def workflow(self, workflow_id: str) -> WorkflowReport:
        """See Verifier.workflow."""
        if self._session.read(lambda connection: _events(connection, workflow_id)) > self._large:
            job = WorkflowJob(self._database, self._logs, STALE_AFTER, workflow_id)
            return workflow_verified_apart(job)
        return self._session.read(
            lambda connection: Verification(connection, self._logs, self._now).workflow(workflow_id)
        )


def _events(connection: BoundedConnection, workflow_id: str) -> int:
    [(events,)] = connection.execute(_EVENTS, (workflow_id,)).fetchall()
    return int(events)


def _owner(connection: BoundedConnection, workflow_id: str) -> str | None:
    events = read_streams(connection, Place(workflow_id, 0), workflow_id, limit=1)
    row = connection.execute(_OWNER_IN_ROW, (workflow_id,)).fetchone()
    if not events and row is None:
        raise WorkflowNotFound(workflow_id)
    try:
        created = decode(events[0]).event if events else None
    except StoredDataDamaged:
        created = None
    if isinstance(created, Created):
        return created.user_id
    return str(row[0]) if row else None
