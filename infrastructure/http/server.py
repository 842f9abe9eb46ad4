"""The HTTP door: methods by Connect's protocol, and what probes ask. On a thread of its own."""

import socket
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infrastructure.comments import comments
from infrastructure.http.certificates import PeerNames, context
from infrastructure.http.connect import Connect, routes
from infrastructure.http.openapi import document
from infrastructure.identity.tls import TlsFiles
from infrastructure.rpc.served import Served

_KEEP_ALIVE = 75  # seconds that an idle connection stays open

Checks = Mapping[str, Callable[[], str]]
"""What readiness depends on, by names that operators understand: why each fails, or nothing."""

Details = Callable[[], Mapping[str, Any]]
"""What else readiness tells."""

Page = Callable[[], tuple[bytes, str]]
"""Makes a page: its content, and its media type."""


def application(served: Served, checks: Checks, details: Details, measured: Page) -> Starlette:
    """The door as an ASGI application; `measured` is what /metrics shows."""

    def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    def ready(_: Request) -> Response:
        found = {name: why() for name, why in checks.items()}
        failing = {name: why for name, why in found.items() if why}
        status = "not ready" if failing else "ready"
        answer = {"status": status, "failing": failing, **details()}
        return JSONResponse(answer, 503 if failing else 200)

    def metrics(_: Request) -> Response:
        content, media_type = measured()
        return Response(content, headers={"content-type": media_type})

    def described(_: Request) -> Response:
        return JSONResponse(document(served.services, served.methods, comments()))

    connect = Connect(routes(served.services, served.methods))
    return Starlette(
        routes=[
            Route("/livez", alive),
            Route("/readyz", ready),
            Route("/metrics", metrics),
            Route("/openapi.json", described),
            Route("/{service}/{method}", connect.respond, methods=["POST"]),
        ]
    )


class HttpServer:
    """Serves an application on a socket that already listens, until it is closed."""

    def __init__(
        self, app: Starlette, listening: socket.socket, tls: TlsFiles | None = None
    ) -> None:
        """Starts the thread. Connections are encrypted if there is `tls`."""
        config = uvicorn.Config(
            app,
            http=PeerNames,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=_KEEP_ALIVE,
        )
        if tls is not None:
            config.load()
            config.ssl = context(tls)
        self.port: int = 0 if listening.family is socket.AF_UNIX else listening.getsockname()[1]
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
