"""A store on PostgreSQL as a server process has it, and what it holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from application.ledger import LedgerDigests
from application.ports import Forgotten
from domain.events import WorkflowEvent
from infrastructure.eventstore.horizon import Horizon
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.eventstore.store import PostgresEventStore
from infrastructure.postgres.session import Session
from infrastructure.telemetry.observer import Observer

DIGESTS = LedgerDigests(b"the secret of the tests")

_ERASURE = """
    WITH begun AS (
        INSERT INTO erasures (id, reason, legal_basis, actor) VALUES (%s, 'r', 'b', 'a')
        ON CONFLICT (id) DO NOTHING RETURNING id
    )
    INSERT INTO erased_workflows (workflow_id, receipt_id) SELECT %s, id FROM begun
"""
_FORGET = """
    UPDATE workflow_events SET salt = NULL, content = NULL
    WHERE originator_id = %s AND originator_version = %s
"""
_EVENTS = """
    SELECT topic, notification_id, state FROM workflow_events
    WHERE originator_id = %s ORDER BY originator_version
"""


@dataclass(frozen=True)
class OpenStore:
    """An event store on PostgreSQL, and a view of its events that does not go through load()."""

    dsn: str
    store: PostgresEventStore
    log: WorkflowLog

    def history(self, workflow_id: str) -> list[WorkflowEvent]:
        """A workflow's events, oldest first."""
        return [
            event.event
            for event in self.log.history(workflow_id)
            if not isinstance(event.event, Forgotten)
        ]

    def positions(self, workflow_id: str) -> list[int]:
        """The feed positions of a workflow's events."""
        return [position for _, position, _ in self.rows(workflow_id)]

    def forget(self, workflow_id: str, version: int) -> None:
        """Forgets the content of an event, as an erasure does that has begun."""
        with psycopg.connect(self.dsn) as connection:
            connection.execute(_ERASURE, (workflow_id, workflow_id))
            connection.execute(_FORGET, (workflow_id, version))

    def rows(self, workflow_id: str) -> list[tuple[str, int, bytes]]:
        """A workflow's stored events: name, position and bytes of each, oldest first."""
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(_EVENTS, (workflow_id,)).fetchall()


@contextmanager
def open_store(
    dsn: str,
    observer: Observer | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[OpenStore]:
    """A store on a session and a log of its own, as another server process would have them."""
    horizon = Horizon()
    session = Session(dsn, greet=horizon.look)
    with WorkflowLog(dsn) as log:
        try:
            yield OpenStore(
                dsn,
                PostgresEventStore(session, log, clock, horizon, observer),
                log,
            )
        finally:
            session.close()
