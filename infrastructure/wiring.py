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
from infrastructure.rpc.group_commit import GroupCommit
from infrastructure.rpc.servicer import WorkflowsServicer
from infrastructure.settings import Settings

READERS = 4  # connections of one process for Get, List and readiness
GRACE = 10.0  # seconds that calls in flight have to finish when the service stops

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

    Leaving the block tells health first, then lets calls in flight finish, then closes pools.
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
        checks = await health.ready_servicer()
        serving = server.build(servicer, checks, shares_port=shares_port)
        try:
            port = server.bind(serving, settings.listen)
            await serving.start()
            readiness = asyncio.create_task(health.follow(checks, lambda: _is_ready(readers)))
            try:
                yield Running(port, serving)
            finally:
                readiness.cancel()
                await checks.enter_graceful_shutdown()
                await serving.stop(GRACE)
        finally:
            await commits.drain()
            session.close()
            log.close()


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
