"""Workflows with long histories, recorded by the service's own write road without its wire."""

from datetime import UTC, datetime
from uuid import uuid4

from application.draft import Done, Submission
from application.handler import CommandHandler
from application.ports import Origin
from domain.commands import Command, CreateWorkflow, IncrementFailures
from infrastructure.catalogue.loading import load
from infrastructure.eventstore.horizon import Horizon
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.eventstore.store import PostgresEventStore
from infrastructure.postgres.session import Session
from tests.benchmarks import bodies
from tests.support.stores import DIGESTS

BATCH = 256  # commands, as many as one group commit takes

_ORIGIN = Origin("anonymous", "benchmark")


def with_history(dsn: str, events: int) -> str:
    """A new workflow of so many events, an Increment each after its creation: its id."""
    horizon = Horizon()
    session, log = Session(dsn, greet=horizon.look), WorkflowLog(dsn)
    handler = CommandHandler(PostgresEventStore(session, log, _now, horizon), DIGESTS)
    workflow_id = str(uuid4())
    try:
        _record(handler, [_creation(workflow_id)])
        for start in range(1, events, BATCH):
            count = min(BATCH, events - start)
            _record(handler, [_increment(workflow_id) for _ in range(count)])
    finally:
        session.close()
        log.close()
    return workflow_id


def _record(handler: CommandHandler, commands: list[Command]) -> None:
    for outcome in handler.handle([Submission(command, _ORIGIN) for command in commands]):
        if not isinstance(outcome, Done):
            raise outcome


def _creation(workflow_id: str) -> Command:
    return CreateWorkflow(
        id=workflow_id,
        user_id="histories",
        name=bodies.NAME,
        payload=bodies.PAYLOAD,
        kind="http",
        interval=60,
        max_consecutive_job_failures_allowed=bodies.MAX_FAILURES,
        log_retention=True,
        idempotency_key="",
        now=_now(),
        catalogue=load(None),
    )


def _increment(workflow_id: str) -> Command:
    return IncrementFailures(
        id=workflow_id, user_id="", job_id="", terminate_at_threshold=False, now=_now()
    )


def _now() -> datetime:
    return datetime.now(UTC)
