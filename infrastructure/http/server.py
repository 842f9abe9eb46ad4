"""Serves the HTTP door on a thread of its own: uvicorn, with connections of ours."""

import asyncio
import socket
from threading import Thread
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from infrastructure.http.bounds import Bounds
from infrastructure.http.certificates import context
from infrastructure.http.connection import Connection
from infrastructure.identity.tls import TlsFiles


class HttpServer:
    """Serves an application on a socket that already listens, until it is closed."""

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        bounds: Bounds,
        tls: TlsFiles | None = None,
    ) -> None:
        """Starts the thread. Connections are encrypted if there is `tls`."""
        config = uvicorn.Config(
            app,
            interface="asgi3",
            http=Connection,
            log_config=None,
            log_level="critical",  # The application logs its own faults, in the service's form.
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=bounds.idle,  # type: ignore[arg-type] # any number is taken
        )
        if tls is not None:
            config.load()
            config.ssl = context(tls)
        self.port: int = 0 if listening.family is socket.AF_UNIX else listening.getsockname()[1]
        self._server = _Server(config, bounds)
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


class _Server(uvicorn.Server):
    """The library's server, whose connections know their bounds."""

    def __init__(self, config: uvicorn.Config, bounds: Bounds) -> None:
        super().__init__(config)
        self._bounds = bounds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens on the sockets."""
        loop = asyncio.get_running_loop()
        encryption: dict[str, Any] = {}
        if self.config.ssl is not None:
            encryption = {
                "ssl": self.config.ssl,
                "ssl_handshake_timeout": self._bounds.handshake,
            }
        self.servers = [
            await loop.create_server(
                lambda: Connection(self.config, self.server_state, self._bounds),
                sock=listening,
                backlog=self.config.backlog,
                **encryption,
            )
            for listening in sockets or ()
        ]
        self.started = True
