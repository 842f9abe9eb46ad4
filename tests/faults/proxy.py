"""A proxy between the service and PostgreSQL that breaks chosen moments of the wire protocol.

Our append is one statement in autocommit mode: the server runs it when Execute arrives and commits
when Sync does. Withholding that one message of five bytes is how a commit gets lost on its way.
"""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from io import BufferedReader, RawIOBase
from threading import Event, Lock, Thread
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.faults.wire import READY, Group, groups
from tests.support.waiting import wait_for_the_lock

_CHUNK = 8192  # bytes

APPEND = b"append_events_v"
SETTLEMENT = b"settle_append_v"
READINESS = b"/* readiness */"  # what a service tries every second; no fault is meant for it


class Fault(Enum):
    """What happens, once, to the statement that a proxy waits for."""

    DROP = auto()  # nothing of it is delivered, and the connection is cut
    CUT_BEFORE_COMMIT = auto()  # all but the Sync is delivered, it runs, the connection is cut
    CUT_AFTER_COMMIT = auto()  # it is answered, and the connection is cut instead of the answer
    BLACKHOLE_COMMIT = auto()  # all but the Sync is delivered, and then nothing for ever
    DELIVER_LATE = auto()  # it is held until released, whatever the client does meanwhile
    DELAY_ANSWER = auto()  # it is delivered, and its answer held until released


class Proxy:
    """Listens on a port of its own for one database; without a fault it passes all on."""

    def __init__(self, database: str, bytes_per_second: int = 0) -> None:
        """`bytes_per_second` is what clients can send on a slow line; 0 is as fast as it goes."""
        parts = conninfo_to_dict(database)
        self.database = database
        self._behind = f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        if bytes_per_second:  # A slow line holds little that was not delivered.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _CHUNK)
        self._links: list[_Link] = []
        self.armed: list[tuple[Fault, bytes]] = []
        self._lock = Lock()
        self.acted = Event()
        self.answered = Event()
        self.released = Event()
        self.meanwhile: Callable[[], object] = bool  # called before a commit is cut off
        self.refusing = False
        self.bytes_per_second = bytes_per_second
        self._silent = False
        self._thread = Thread(target=self._accept, name="proxy", daemon=True)
        self._thread.start()
        self.dsn = make_conninfo(
            database,
            host="127.0.0.1",
            port=self._listener.getsockname()[1],
            sslmode="disable",
            gssencmode="disable",
        )

    def arm(self, fault: Fault, at: bytes = APPEND) -> None:
        """Does this to the next statement whose text contains `at`, after what was armed before."""
        for event in (self.acted, self.answered, self.released):
            event.clear()
        self.armed.append((fault, at))

    def take(self, statements: bytes) -> Fault | None:
        """The fault that strikes these statements, which is so used up."""
        with self._lock:
            if not self.armed or self.armed[0][1] not in statements or READINESS in statements:
                return None
            return self.armed.pop(0)[0]

    def refuse(self) -> None:
        """Cuts every connection and accepts no other."""
        self.refusing = True
        self.cut()

    def cut(self) -> None:
        """Cuts every connection that there is."""
        for link in self._links:
            link.close()

    def fall_silent(self) -> None:
        """Keeps connections open and accepts others, but passes nothing on."""
        self._silent = True
        for link in self._links:
            link.silent = True

    def come_back(self) -> None:
        """Accepts connections and passes on what they say; what was cut or silent stays so."""
        self.refusing = self._silent = False

    def close(self) -> None:
        """Ends all connections and every thread."""
        self.refuse()
        self.released.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for link in self._links:
            link.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.refusing:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                try:
                    server.connect(self._behind)
                except OSError:  # The server is down: so is what the client sees.
                    client.close()
                    server.close()
                    continue
                self._links.append(_Link(self, client, server, silent=self._silent))


class _Line(RawIOBase):
    """What a client sends, as fast as the proxy lets it."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads what there is, and takes its time."""
        count = self._client.recv_into(buffer)
        if count and self._proxy.bytes_per_second:
            time.sleep(count / self._proxy.bytes_per_second)
        return count


class _Link:
    """One client's connection, with a thread for each direction."""

    def __init__(
        self, proxy: Proxy, client: socket.socket, server: socket.socket, *, silent: bool
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._fault: Fault | None = None
        self._ended = Event()
        self.silent = silent
        self._threads = [Thread(target=run, daemon=True) for run in (self._forth, self._back)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends both sides."""
        self._ended.set()
        for side in (self._client, self._server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        """Waits for both threads, which close() lets end."""
        for thread in self._threads:
            thread.join()
        self._client.close()
        self._server.close()

    def _forth(self) -> None:
        line = BufferedReader(_Line(self._proxy, self._client), _CHUNK)
        with suppress(OSError), line as reader:
            for group in groups(reader):
                if fault := self._proxy.take(group.statements):
                    self._strike(fault, group)
                    self._proxy.acted.set()
                elif not self.silent:
                    self._server.sendall(group.queries + group.last)
        if not self.silent:
            self.close()

    def _strike(self, fault: Fault, group: Group) -> None:
        self._fault = fault
        match fault:
            case Fault.DROP:
                self.close()
            case Fault.CUT_BEFORE_COMMIT:
                self._server.sendall(group.queries)
                wait_for_the_lock(self._proxy.database)
                self._proxy.meanwhile()
                self.close()
            case Fault.BLACKHOLE_COMMIT:
                self.silent = True
                self._server.sendall(group.queries)
                wait_for_the_lock(self._proxy.database)
            case Fault.DELIVER_LATE:
                self.silent = True
                self._proxy.acted.set()
                self._proxy.released.wait()
                self._server.sendall(group.queries + group.last)
            case Fault.CUT_AFTER_COMMIT | Fault.DELAY_ANSWER:
                self._server.sendall(group.queries + group.last)

    def _back(self) -> None:
        answer = b""
        with suppress(OSError):
            while data := self._server.recv(65536):
                answer = (answer + data)[-len(READY) :]
                if self._fault and answer == READY:
                    self._proxy.answered.set()
                if self._fault is Fault.CUT_AFTER_COMMIT:
                    if answer == READY:
                        self.close()
                    continue
                if self._fault is Fault.DELAY_ANSWER:
                    self._proxy.released.wait()
                if not self.silent:
                    self._client.sendall(data)
        if not self.silent:
            self.close()
