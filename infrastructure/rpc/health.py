"""Health: the process is alive, the service is ready. Ready follows the database."""

from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from grpc_health.v1 import health, health_pb2

from infrastructure.contract import SERVICE
from infrastructure.telemetry.events import Events, InertEvents

CHECK_EVERY = 1.0  # seconds
FAILURES_TO_UNREADY = 2

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class HealthServicer(health.HealthServicer):  # type: ignore[misc] # the library has no types
    """The library's health service, with List. A watcher holds no thread while it watches."""

    def __init__(self) -> None:
        super().__init__(experimental_non_blocking=True)
        self.set(SERVICE.full_name, _SERVING)

    def List(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - gRPC's names
        """The status of everything that Check knows."""
        return health_pb2.HealthListResponse(
            statuses={
                name: health_pb2.HealthCheckResponse(status=status)
                for name, status in self._server_status.items()
            }
        )


class Readiness:
    """Keeps the readiness that health tells up to date, on a thread of its own.

    One success makes ready; FAILURES_TO_UNREADY in a row make unready, so that one lost
    connection among many does not send all clients away.
    """

    def __init__(
        self,
        servicer: HealthServicer,
        is_ready: Callable[[], bool],
        events: Events | None = None,
    ) -> None:
        self._servicer = servicer
        self._is_ready = is_ready
        self._events = events or InertEvents()
        self._stopped = Event()
        self._thread = Thread(target=self._follow, name="readiness", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Looks no more."""
        self._stopped.set()
        self._thread.join()

    def _follow(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            failures = 0 if self._is_ready() else failures + 1
            if failures == 0:
                self._servicer.set(SERVICE.full_name, _SERVING)
                self._events.ready()
            elif failures >= FAILURES_TO_UNREADY:
                self._servicer.set(SERVICE.full_name, _NOT_SERVING)
                self._events.not_ready("the database does not answer")
            self._stopped.wait(CHECK_EVERY)
