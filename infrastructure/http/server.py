"""The HTTP door: methods by Connect's protocol, and what probes ask. On a thread of its own."""

import socket
from collections.abc import Callable, Mapping, Sequence
from threading import Thread

import uvicorn
from google.protobuf.descriptor import ServiceDescriptor
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infrastructure.http.connect import Connect, routes
from infrastructure.wire.calls import Method

_KEEP_ALIVE = 75  # seconds that an idle connection stays open

Checks = Mapping[str, Callable[[], bool]]
"""What readiness depends on, each by a name that an operator understands."""


def application(
    services: Sequence[ServiceDescriptor], methods: Mapping[str, Method], checks: Checks
) -> Starlette:
    """The door as an ASGI application. `methods` are by full name."""

    def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    def ready(_: Request) -> Response:
        failing = [name for name, holds in checks.items() if not holds()]
        answer = {"status": "not ready" if failing else "ready", "failing": failing}
        return JSONResponse(answer, 503 if failing else 200)

    connect = Connect(routes(services, methods))
    return Starlette(
        routes=[
            Route("/livez", alive),
            Route("/readyz", ready),
            Route("/{service}/{method}", connect.respond, methods=["POST"]),
        ]
    )


class HttpServer:
    """Serves an application on a socket that already listens, until it is closed."""

    def __init__(self, app: Starlette, listening: socket.socket) -> None:
        """Starts the thread."""
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=_KEEP_ALIVE,
        )
        self.port: int = listening.getsockname()[1]
        self._server = uvicorn.Server(config)
        self._thread = Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="http", daemon=True
        )
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; it must until the server is closed."""
        return self._thread.is_alive()

    def close(self, within: float) -> None:
        """Takes no more requests, and ends those that are not answered after so many seconds."""
        self._server.config.timeout_graceful_shutdown = max(1, round(within))
        self._server.should_exit = True
        self._thread.join()
