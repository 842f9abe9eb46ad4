"""Reference (d): a grpc.aio server on uvloop that reads with one query a call."""

import json
import sys
from functools import partial
from typing import Any

import grpc
import uvloop
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from workflows import workflows_pb2 as pb

from tests.benchmarks.bodies import SERVICE

CONNECTIONS = 16

_GET = """
    SELECT id::text, name, payload, kind, build_status, interval_minutes, failures, max_failures,
           created_at, updated_at, terminated_at, log_retention, generation
    FROM workflows WHERE id = %s AND user_id = %s AND deleted_at IS NULL
"""

Pool = AsyncConnectionPool[AsyncConnection[Any]]


async def _get(pool: Pool, request: pb.GetWorkflowRequest, context: Any) -> pb.GetWorkflowResponse:
    """A connection, a query, an answer."""
    async with pool.connection() as connection:
        found = await connection.execute(_GET, (request.id, request.user_id))
        row = await found.fetchone()
    if row is None:
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such workflow")
        raise LookupError
    created, updated, terminated = (moment and moment.isoformat() for moment in row[8:11])
    return pb.GetWorkflowResponse(
        id=row[0],
        name=row[1],
        payload=row[2],
        kind=row[3],
        build_status=row[4],
        interval=row[5],
        consecutive_job_failures_count=row[6],
        max_consecutive_job_failures_allowed=row[7],
        created_at=created,
        updated_at=updated,
        terminated_at=terminated or "",
        log_retention=row[11],
        generation=row[12],
    )


async def _serve(dsn: str) -> None:
    pool: Pool = AsyncConnectionPool(
        dsn,
        connection_class=AsyncConnection[Any],
        kwargs={"autocommit": True},
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        open=False,
    )
    handler = grpc.unary_unary_rpc_method_handler(
        partial(_get, pool),
        request_deserializer=pb.GetWorkflowRequest.FromString,
        response_serializer=pb.GetWorkflowResponse.SerializeToString,
    )
    async with pool:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {"GetWorkflow": handler}),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        sys.stdout.write(json.dumps({"address": f"127.0.0.1:{port}"}) + "\n")
        sys.stdout.flush()
        await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))
