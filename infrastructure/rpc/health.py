"""Health: the process is alive, the service is ready. Ready follows the database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from grpc_health.v1 import health, health_pb2

from infrastructure.rpc.servicer import SERVICE

CHECK_EVERY = 1.0  # seconds
FAILURES_TO_UNREADY = 2

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class HealthServicer(health.aio.HealthServicer):  # type: ignore[misc] # the library has no types
    """The library's health service, with List."""

    async def List(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - gRPC's names
        """The status of everything that Check knows."""
        return health_pb2.HealthListResponse(
            statuses={
                name: health_pb2.HealthCheckResponse(status=status)
                for name, status in self._server_status.items()
            }
        )


async def ready_servicer() -> HealthServicer:
    """A health service that says that all is ready."""
    servicer = HealthServicer()
    await servicer.set(SERVICE, _SERVING)
    return servicer


async def follow(servicer: HealthServicer, is_ready: Callable[[], Awaitable[bool]]) -> None:
    """Keeps the readiness up to date until cancelled.

    One success makes ready; FAILURES_TO_UNREADY in a row make unready, so that one lost
    connection among many does not send all clients away.
    """
    failures = 0
    while True:
        failures = 0 if await is_ready() else failures + 1
        if failures == 0:
            await servicer.set(SERVICE, _SERVING)
        elif failures >= FAILURES_TO_UNREADY:
            await servicer.set(SERVICE, _NOT_SERVING)
        await asyncio.sleep(CHECK_EVERY)
