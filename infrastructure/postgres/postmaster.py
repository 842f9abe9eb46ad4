"""The server process on a data directory: started, found again, waited for, stopped.

Every process of a server inherits a locked file from the one that started it, and so does initdb.
So the lock is free if, and only if, all of them have ended. How they ended does not matter, nor
which processes have their pids now.
"""

import fcntl
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from infrastructure.postgres import shelter
from infrastructure.postgres.cluster import DataDirectory
from infrastructure.postgres.pidfile import PidFile, remove_stale_pid_file, serves
from infrastructure.postgres.programs import HERE
from infrastructure.postgres.unusable import DatabaseUnusable, data_dir_unusable

_QUIET = 60.0  # seconds without a log line after which a start is given up
_STOPS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))  # fast, within seconds; immediate
_PAUSE = 0.05  # seconds between two checks of a server that starts or stops
_LONG_LOG = 16 * 2**20  # bytes of a log after which a start begins a new one
_COMPLAINT = re.compile(r"(?:FATAL|PANIC|DETAIL|HINT): +(?P<text>.*)|^(?P<bare>.*could not.*)")


class StartCancelled(Exception):
    """The service stops, so the start of the server was cancelled."""


class Postmaster:
    """A server that listens on a socket only. Not for use by two threads at once."""

    def __init__(self, directory: DataDirectory, connections: int) -> None:
        """`connections` is the max_connections of a server that is started here."""
        self._directory = directory
        self._connections = connections
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = -1
        self._log_before = 0

    def start(self, cancelled: Event) -> Path:
        """Starts the server unless one runs, and returns the folder of its socket when it is ready.

        Only one process may do this at a time. Raises DatabaseUnusable, OSError, StartCancelled.
        """
        self._reap()
        patience = _Patience(self._directory.log)
        while True:
            with _lock(self._directory) as alone:
                if alone is not None and self._process is None:
                    self._launch(alone)
            found = PidFile.of(self._directory.cluster)
            if found.status == "ready" and serves(found.pid, self._directory.cluster):
                self._pid = found.pid
                return Path(found.socket_folder)
            if self._process is not None and self._process.poll() is not None:
                raise self._refused_to_start()
            if patience.is_over():
                raise DatabaseUnusable(
                    f"The embedded PostgreSQL in {self._directory.path} did not become ready in"
                    " time. It may have to recover from a crash:"
                    f" see {self._directory.log}, and start again."
                )
            if cancelled.wait(_PAUSE):
                raise StartCancelled

    def runs(self) -> bool:
        """Whether the server that was started or found still runs."""
        return serves(self._pid, self._directory.cluster)

    def reason_of_end(self) -> str:
        """Why the server ended, if its log has a reason."""
        # Errors of single connections are not the reason.
        signs = ("PANIC:", f"[{self._pid}] FATAL:", "FATAL:  could not")
        lines = [line for line in self._logged().splitlines() if any(s in line for s in signs)]
        return _complaints("\n".join(lines)) or "it was killed"

    def stop(self) -> None:
        """Stops the server if one runs, and removes its folders outside the data directory."""
        for number, within in _STOPS:
            if self._ends(number, within):
                break
        self._reap()
        shelter.remove(self._directory.socket)
        shelter.remove(self._directory.copied_programs)

    def _launch(self, lock: int) -> None:
        programs = self._directory.programs(lock)
        socket = shelter.private_folder(self._directory.socket, programs.owner)
        remove_stale_pid_file(self._directory.cluster, socket)
        log = self._open_log()
        try:
            self._process = programs.start(
                "postgres",
                *("-D", HERE),
                *("-c", "listen_addresses="),
                *("-c", f"unix_socket_directories={socket}"),
                *("-c", "unix_socket_permissions=0700"),
                *("-c", f"max_connections={self._connections}"),
                # Details of errors may hold what users keep.
                *("-c", "log_error_verbosity=terse"),
                folder=self._directory.cluster,
                output=log,
                keeps=[lock],
            )
        finally:
            os.close(log)

    def _open_log(self) -> int:
        log = self._directory.log
        with suppress(FileNotFoundError):
            if log.stat().st_size > _LONG_LOG:
                log.replace(log.with_suffix(".log.1"))
        opened = self._directory.open(log, os.O_RDWR | os.O_APPEND)
        self._log_before = os.fstat(opened).st_size
        return opened

    def _logged(self) -> str:
        """What was logged since the server was started here."""
        try:
            with self._directory.log.open("rb") as log:
                log.seek(self._log_before)
                logged = log.read().decode(errors="replace")
                return logged.replace(HERE, str(self._directory.cluster))
        except OSError:
            return ""

    def _refused_to_start(self) -> DatabaseUnusable:
        logged = self._logged()
        if "No space left on device" in logged:
            return data_dir_unusable(self._directory.path, "its disk is full", "Make room there")
        if "Read-only file system" in logged:
            reason = "it lies on a read-only file system"
            return data_dir_unusable(self._directory.path, reason)
        reason = _complaints(logged) or logged.strip()[-300:] or "PostgreSQL did not start"
        return data_dir_unusable(self._directory.path, reason, f"See {self._directory.log}")

    def _ends(self, number: signal.Signals, within: float) -> bool:
        """Sends the signal, and returns whether all processes of the server end in time."""
        deadline = time.monotonic() + within
        told = -1
        while time.monotonic() < deadline:
            with _lock(self._directory) as alone:
                if alone is not None:
                    return True
            pid = self._running_pid()
            if pid not in (-1, told):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
                told = pid
            time.sleep(_PAUSE)
        return False

    def _running_pid(self) -> int:
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        pid = PidFile.of(self._directory.cluster).pid
        return pid if serves(pid, self._directory.cluster) else -1

    def _reap(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._process = None


class _Patience:
    """Ends when a log has not grown for a while: a long recovery logs its progress."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._size = -1
        self._until = 0.0

    def is_over(self) -> bool:
        try:
            size = self._log.stat().st_size
        except FileNotFoundError:
            size = 0
        if size != self._size:
            self._size = size
            self._until = time.monotonic() + _QUIET
        return time.monotonic() > self._until


@contextmanager
def _lock(directory: DataDirectory) -> Iterator[int | None]:
    """Takes the lock that all processes of a server hold; None while one of them still runs."""
    descriptor = directory.open(directory.lock("server"), os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _complaints(logged: str) -> str:
    """The lines of a log that explain why a server ended, without their times."""
    said = [
        (match["text"] or match["bare"]).strip().rstrip(".")
        for line in logged.splitlines()
        # A client that connects too early gets this line; it is not the reason.
        if (match := _COMPLAINT.search(line)) and "the database system is" not in line
    ]
    return ". ".join(said[-3:])
