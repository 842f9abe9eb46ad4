"""The PostgreSQL of the service; any number of processes may use one data directory."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from psycopg import OperationalError
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from infrastructure.postgres.cluster import USER, DataDirectory
from infrastructure.postgres.connection import connect, with_network_guards
from infrastructure.postgres.postmaster import Postmaster, StartCancelled
from infrastructure.postgres.unusable import DatabaseUnusable, refused_by_the_system
from infrastructure.telemetry.events import Events, InertEvents

CONNECTIONS = 100  # the least max_connections of a server

_IN_USE_WITHIN = 60.0  # seconds: longer than a server takes to stop
_TURN_WITHIN = 120.0  # seconds: longer than most recoveries
_ANSWERS_WITHIN = 60.0  # seconds from ready to the first connection; recovering backends delay it
_LOOK_EVERY = 0.5  # seconds between two checks that the server runs
_PAUSES = (0.5, 30.0)  # seconds before the first and at most before any later try to start again
_STEADY = 60.0  # seconds of life after which a server counts as able to run
# Set for every connection of the service (connection.py); and libpq would look up an empty service.
_LEFT_OPEN = ("application_name", "connect_timeout", "service")


class EmbeddedPostgres:
    """A PostgreSQL server on a data directory, reached by a socket that only its owner can reach.

    Each process that uses it holds a shared lock on the directory, which ends with the process,
    however it ends. The last process to stop stops the server. A server whose users were all killed
    is taken over as it runs. A server that ends without a stop is started again.
    """

    def __init__(
        self, data_dir: Path, *, connections: int = CONNECTIONS, events: Events | None = None
    ) -> None:
        """Starts the server, making the data directory if there is none.

        Raises DatabaseUnusable. If it raises, no unused server is left running.
        """
        self._directory = DataDirectory.opened(data_dir)
        self._events = events or InertEvents()
        self._postmaster = Postmaster(self._directory, max(connections, CONNECTIONS))
        self._stopping = Event()
        self._keeper: Thread | None = None
        try:
            self._in_use = self._lock("in-use", fcntl.LOCK_SH, _IN_USE_WITHIN)
            try:
                self._socket = self._start()
                self.dsn: str = _closed_dsn(self._socket, self._directory.passfile)
                _wait_until_it_answers(self.dsn)
                self._keeper = Thread(target=self._keep, name="embedded-postgres", daemon=True)
                self._keeper.start()
            except BaseException:
                self._stopping.set()
                self._leave()
                raise
        except OSError as refused:
            raise refused_by_the_system(data_dir, refused) from refused

    def stop(self) -> None:
        """Stops the server cleanly, unless another process uses it too."""
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.join()
        self._leave()

    def _start(self) -> Path:
        with self._turn():
            if not self._directory.cluster.exists():
                self._events.preparing(
                    f"first start: making a PostgreSQL in {self._directory.path};"
                    " this takes some seconds, once"
                )
            return self._postmaster.start(self._stopping)

    def _leave(self) -> None:
        try:
            fcntl.flock(self._in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        else:
            self._postmaster.stop()
        finally:
            os.close(self._in_use)

    def _keep(self) -> None:
        """Starts the server again after it was killed, or ended because the disk was full."""
        first, longest = _PAUSES
        pause, steady_from, refusal = first, time.monotonic() + _STEADY, ""
        while not self._stopping.wait(_LOOK_EVERY):
            if self._postmaster.runs():
                continue
            if time.monotonic() > steady_from:
                pause = first
            # The sessions that use the database report that it is lost and back.
            why = refusal or self._postmaster.reason_of_end()
            self._events.preparing(f"the embedded PostgreSQL ended ({why}); it is started again")
            if self._stopping.wait(pause):
                return
            pause = min(2 * pause, longest)
            try:
                self._start()
            except StartCancelled:
                return
            except (DatabaseUnusable, OSError) as refused:
                refusal = str(refused)
            else:
                steady_from, refusal = time.monotonic() + _STEADY, ""

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Lets one process at a time start a server, so that none sees a half-finished start."""
        turn = self._lock("start", fcntl.LOCK_EX, _TURN_WITHIN)
        try:
            yield
        finally:
            os.close(turn)

    def _lock(self, name: str, kind: int, within: float) -> int:
        path = self._directory.lock(name)
        descriptor = self._directory.open(path, os.O_RDWR)
        deadline = time.monotonic() + within
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    raise DatabaseUnusable(
                        f"Another process has been starting or stopping the embedded PostgreSQL in"
                        f" {self._directory.path} for {within:.0f} s. See who: fuser {path}"
                    ) from None
                time.sleep(0.05)
            else:
                return descriptor


def _closed_dsn(socket: Path, passfile: Path) -> str:
    """A DSN that sets every parameter, so that no variable of the shell can set one."""
    ours = {
        "host": str(socket),
        "port": "5432",
        "user": USER,
        "dbname": USER,
        "passfile": str(passfile),
        "client_encoding": "UTF8",
        "sslmode": "disable",
        "require_auth": "scram-sha-256",
        # libpq refuses an empty text for these.
        "sslcertmode": "disable",
        "min_protocol_version": "3.0",
        "max_protocol_version": "3.0",
    }
    closed = {
        name: (option.compiled or b"").decode()
        for option in Conninfo.get_defaults()
        if option.envvar and (name := option.keyword.decode()) not in _LEFT_OPEN
    }
    return make_conninfo("", **(closed | ours))


def _wait_until_it_answers(dsn: str) -> None:
    """Waits until the server that was found has recovered. Raises DatabaseUnusable."""
    deadline = time.monotonic() + _ANSWERS_WITHIN
    while True:
        try:
            connect(with_network_guards(dsn)).close()
        except OperationalError as refused:
            if "the database system is" not in str(refused) or time.monotonic() > deadline:
                raise DatabaseUnusable(
                    f"The embedded PostgreSQL refuses connections: {refused}"
                ) from refused
            time.sleep(0.1)
        else:
            return
