"""The composition root: the only place that names every concrete part. Read it top to bottom."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime

from uuid_utils import uuid7

from application.cursors import Cursors
from application.handler import CommandHandler
from application.ports import StoreUnavailable
from application.queries import Queries
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.eventstore.store import PostgresEventStore
from infrastructure.lanes.batcher import Limits
from infrastructure.lanes.lane import Lane
from infrastructure.postgres.connection import with_network_guards
from infrastructure.postgres.session import Session
from infrastructure.readmodel.views import PostgresViews
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.guard import guarded
from infrastructure.rpc.health import HealthServicer, Readiness
from infrastructure.rpc.server import Server
from infrastructure.rpc.workflows.methods import SERVICE, WorkflowsServicer
from infrastructure.settings import Settings

WRITES = Limits()
LOOKUPS = Limits(batch=128, linger=0.004)  # A workflow may hold a payload of 1 MiB.
LISTS = Limits(queue=1024, batch=1)
LISTS_AT_ONCE = 3  # threads, each with a connection: a slow list holds up few others

GRACE = 10.0  # seconds that calls in flight have to finish when the service stops
LAST_WORDS = 0.3  # seconds that a stopping service goes on refusing calls in words
CUT_OFF = 1.0  # seconds that what is no call of ours has to end, watchers of health among it


@contextmanager
def running(settings: Settings, database: str, *, shares_port: bool = False) -> Iterator[int]:
    """Serves on a migrated database until the block ends, then drains. Yields the port.

    Leaving the block tells health first, then lets calls in flight finish while new ones are
    refused, then ends threads and sessions.
    Raises AddressInUse, or StoreUnavailable where the database cannot be reached.
    """
    dsn = with_network_guards(database)
    with ExitStack() as stack:

        def session(*, keeps_plans: bool = False) -> Session:
            return stack.enter_context(closing(Session(dsn, keeps_plans=keeps_plans)))

        log = stack.enter_context(closing(WorkflowLog(dsn)))
        handler = CommandHandler(PostgresEventStore(session(keeps_plans=True), log, _now))
        looking = session(keeps_plans=True)
        cursors = Cursors(_cursor_secret(looking))

        def queries(session: Session) -> Queries:
            return Queries(PostgresViews(session), cursors, settings.page_size)

        health = HealthServicer()
        server = Server(health, shares_port=shares_port)
        stack.callback(server.close)  # After the drains below: whatever they finish is answered.
        writes = Lane("writer", handler.handle, WRITES)
        stack.callback(writes.drain)
        lookups = Lane("lookups", queries(looking).look_up, LOOKUPS)
        stack.callback(lookups.drain)
        lists = [Lane("lists", queries(session()).pages, LISTS) for _ in range(LISTS_AT_ONCE)]
        for lane in lists:
            stack.callback(lane.drain)
        servicer = WorkflowsServicer(
            writes,
            lookups,
            lists,
            _now,
            _new_id,
            terminate_at_threshold=settings.terminate_at_threshold,
        )
        asking = session()
        readiness = Readiness(health, lambda: _is_ready(asking))
        stack.callback(readiness.stop)
        gate = Gate()
        port = server.start(settings.listen, guarded(SERVICE, servicer.methods(), gate))
        stack.callback(_stop, server, gate, health)
        yield port


def _stop(server: Server, gate: Gate, health: HealthServicer) -> None:
    health.enter_graceful_shutdown()
    gate.close()
    gate.drained(GRACE)
    # The server drops calls that arrived but were not handed out yet: those end as CANCELLED,
    # after which no client tries elsewhere. Each connection gets time to hear a refusal first.
    time.sleep(LAST_WORDS)
    server.stop(CUT_OFF)


def _cursor_secret(session: Session) -> bytes:
    found = session.read(
        lambda connection: connection.execute(
            "SELECT secret FROM service_secrets WHERE name = 'cursor'"
        ).fetchone()
    )
    if found is None:
        raise LookupError("the database has no cursor secret; run: workflows migrate")
    return bytes(found[0])


def _is_ready(session: Session) -> bool:
    try:
        session.read(lambda connection: connection.execute("SELECT 1"))
    except StoreUnavailable:
        return False
    return True


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid7())
