"""The composition root: the only place that names every concrete part. Read it top to bottom."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
from psycopg import AsyncConnection, Error
from psycopg_pool import AsyncConnectionPool
from uuid_utils import uuid7

from application.cursors import Cursors
from application.handler import CommandHandler
from application.queries import Queries
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.eventstore.store import PostgresEventStore
from infrastructure.postgres.connection import (
    ANSWER_WITHIN,
    BoundedAsyncConnection,
    configure_async,
    with_network_guards,
)
from infrastructure.postgres.session import Session
from infrastructure.readmodel.views import PostgresViews
from infrastructure.rpc import health, server
from infrastructure.rpc.batcher import Limits
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.group_commit import GroupCommit
from infrastructure.rpc.servicer import WorkflowsServicer
from infrastructure.settings import Settings

READERS = 4  # connections of one process for Get, List and readiness
GRACE = 10.0  # seconds that calls in flight have to finish when the service stops
LAST_WORDS = 0.3  # seconds that a stopping service goes on refusing calls in words
CUT_OFF = 1.0  # seconds that what is no call of ours has to end, watchers of health among it

Pool = AsyncConnectionPool[AsyncConnection[Any]]


@dataclass(frozen=True, slots=True)
class Running:
    """A service that serves."""

    port: int
    server: grpc.aio.Server


@asynccontextmanager
async def running(
    settings: Settings, database: str, *, shares_port: bool = False
) -> AsyncIterator[Running]:
    """Serves on a migrated database until the block ends, then drains.

    Leaving the block tells health first, then lets calls in flight finish while new ones are
    refused, then closes pools.
    Raises AddressInUse.
    """
    dsn = with_network_guards(database)
    log = WorkflowLog(dsn)
    session = Session(dsn)
    async with _readers(dsn) as readers:
        cursors = Cursors(await _cursor_secret(readers))
        queries = Queries(PostgresViews(readers), cursors, settings.page_size)
        store = PostgresEventStore(session, log, _now)
        commits = GroupCommit(CommandHandler(store), Limits())
        servicer = WorkflowsServicer(
            commits,
            queries,
            _now,
            _new_id,
            terminate_at_threshold=settings.terminate_at_threshold,
        )
        gate = Gate()
        checks = await health.ready_servicer()
        serving = server.build(servicer, checks, gate, shares_port=shares_port)
        try:
            port = server.bind(serving, settings.listen)
            await serving.start()
            readiness = asyncio.create_task(health.follow(checks, lambda: _is_ready(readers)))
            try:
                yield Running(port, serving)
            finally:
                readiness.cancel()
                await checks.enter_graceful_shutdown()
                await _stop(serving, gate)
        finally:
            await commits.drain()
            session.close()
            log.close()


async def _stop(serving: grpc.aio.Server, gate: Gate) -> None:
    gate.close()
    await gate.drained(GRACE)
    # The server drops calls that arrived but were not handed out yet: those end as CANCELLED,
    # after which no client tries elsewhere. Each connection gets time to hear a refusal first.
    await asyncio.sleep(LAST_WORDS)
    await serving.stop(CUT_OFF)


def _readers(dsn: str) -> Pool:
    return AsyncConnectionPool(
        dsn,
        connection_class=BoundedAsyncConnection,
        kwargs={"autocommit": True},
        configure=configure_async,
        min_size=READERS,
        max_size=READERS,
        timeout=ANSWER_WITHIN,
        open=False,
    )


async def _cursor_secret(readers: Pool) -> bytes:
    async with readers.connection() as connection:
        found = await connection.execute("SELECT secret FROM service_secrets WHERE name = 'cursor'")
        row = await found.fetchone()
    if row is None:
        raise LookupError("the database has no cursor secret; run: workflows migrate")
    return bytes(row[0])


async def _is_ready(readers: Pool) -> bool:
    with suppress(Error):
        async with readers.connection() as connection:
            await connection.execute("SELECT 1")
            return True
    return False


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid7())
