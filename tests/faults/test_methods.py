"""Every mutating method while the line to the database fails under it, with a key and without.

A call that was answered happened once; one that was refused never happens, even if its statement
arrives late; one whose outcome is unknown happens at most once, and with a key can be repeated.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial

import psycopg
import pytest
from workflows_testing.checks import check
from workflows_testing.client import Client, Refused, outcome
from workflows_testing.recording import Recorder, RecordingClient

from tests.faults.conftest import EMPTY
from tests.faults.proxy import APPEND, SETTLEMENT, Fault, Proxy
from tests.support.database import execute
from tests.support.records import assert_consistent, log_of
from tests.support.service import Service
from tests.support.waiting import until

USER = "alice"
OTHERS = "others"

METHODS: dict[str, Callable[[Client, str], object]] = {
    "create": lambda client, _: client.create(USER),
    "create, key": lambda client, id_: client.create(USER, idempotency_key=id_),
    "update": lambda client, id_: client.update(id_, USER, name="other"),
    "update, key": lambda client, id_: client.update(id_, USER, name="other", idempotency_key="k"),
    "update to what it is, key": lambda client, id_: client.update(
        id_, USER, max_consecutive_job_failures_allowed=9, idempotency_key="k"
    ),
    "build": lambda client, id_: client.build(id_, "building"),
    "increment": lambda client, id_: client.increment(id_),
    "increment, key": lambda client, id_: client.increment(id_, "job"),
    "reset": lambda client, id_: client.reset(id_),
    "terminate": lambda client, id_: client.terminate(id_, USER),
    "delete": lambda client, id_: client.delete(id_, USER),
}

LATE = (Fault.DELIVER_LATE, APPEND)
UNANSWERED = 2 * [(Fault.DROP, SETTLEMENT)]  # as often as the service asks what became of it

FAULTS: dict[str, Sequence[tuple[Fault, bytes]]] = {
    "it never arrives": [(Fault.DROP, APPEND)],
    "it is cut before its commit": [(Fault.CUT_BEFORE_COMMIT, APPEND)],
    "it is cut after its commit": [(Fault.CUT_AFTER_COMMIT, APPEND)],
    "its commit never arrives": [(Fault.BLACKHOLE_COMMIT, APPEND)],
    "its answer is late": [(Fault.DELAY_ANSWER, APPEND)],
    "it is late": [LATE],
    "it is late, and nobody can ask": [LATE, *UNANSWERED],
    "it is recorded, and nobody can ask": [(Fault.CUT_AFTER_COMMIT, APPEND), *UNANSWERED],
    "it is not recorded, and nobody can ask": [(Fault.CUT_BEFORE_COMMIT, APPEND), *UNANSWERED],
    "it is slow": [],
}
MAY_BE_REFUSED = {
    "its commit never arrives",
    *(name for name, faults in FAULTS.items() if LATE in faults or UNANSWERED[0] in faults),
}
SLOW = 8000  # bytes a second


@pytest.fixture(scope="module")
def database(shared_by_faults: str) -> str:
    """The DSN of a migrated database, emptied once."""
    execute(shared_by_faults, EMPTY)
    return shared_by_faults


@pytest.fixture(scope="module")
def proxy(database: str) -> Iterator[Proxy]:
    """A proxy in front of the database."""
    with closing(Proxy(database)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def address(proxy: Proxy) -> Iterator[str]:
    """The address of a service behind the proxy."""
    with Service("--database-url", proxy.dsn) as service:
        yield service.address


class Callers:
    """A caller for each method, with a connection and a workflow of its own."""

    def __init__(self, address: str) -> None:
        self.recorder = Recorder()
        self._address = address
        self._clients = {name: RecordingClient(address, self.recorder) for name in METHODS}
        self._workflows = {name: self._workflow(name) for name in METHODS}
        self._prepared = len(self.recorder.calls)

    def call_together(self, proxy: Proxy, faults: Sequence[tuple[Fault, bytes]]) -> Sequence[str]:
        """Calls every method at once, so that one append holds them all and the faults strike it.

        Returns the methods whose calls were refused.
        """
        threads = ThreadPoolExecutor(len(METHODS) + 1)
        with threads, closing(Client(self._address)) as other:
            # Calls that come while this append waits share the next one, which the faults strike.
            with append_lock(proxy.database) as is_wanted:
                first = threads.submit(other.create, OTHERS)
                until(is_wanted)
                for fault in faults:
                    proxy.arm(*fault)
                proxy.bytes_per_second = 0 if faults else SLOW
                calls = [threads.submit(outcome, partial(self.call, name)) for name in METHODS]
                until(lambda: len(self.recorder.calls) == self._prepared + len(METHODS))
                other.walk(OTHERS)  # By now the server has taken what was sent before.
            first.result()
            outcomes = zip(METHODS, (call.result() for call in calls), strict=True)
            return [name for name, told in outcomes if isinstance(told, Refused)]

    def repeat(self, name: str) -> None:
        """Calls a method until it succeeds."""
        until(lambda: not isinstance(outcome(partial(self.call, name)), Refused))

    def call(self, name: str) -> object:
        """Calls a method, with the same key as before if it takes one."""
        return METHODS[name](self._clients[name], self._workflows[name])

    def close(self) -> None:
        """Ends all connections."""
        for client in self._clients.values():
            client.close()

    def _workflow(self, name: str) -> str:
        """A workflow with one failure, so that each method has something to change."""
        workflow_id = self._clients[name].created(USER, max_consecutive_job_failures_allowed=9)
        if name == "reset":
            self._clients[name].increment(workflow_id)
        return workflow_id


@contextmanager
def append_lock(database: str) -> Iterator[Callable[[], bool]]:
    """Holds the lock that every append takes, and yields whether somebody waits for it."""
    waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 5005201 AND NOT granted"
    with psycopg.connect(database) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(5005201)")
        yield lambda: connection.execute(waiting).fetchone() is not None


@pytest.mark.parametrize("name", FAULTS)
def test_a_call_happens_as_it_was_answered_whatever_becomes_of_its_append(
    proxy: Proxy, address: str, database: str, name: str
) -> None:
    with closing(Callers(address)) as callers:
        refused = callers.call_together(proxy, FAULTS[name])
        proxy.bytes_per_second = 0
        proxy.released.set()
        if LATE in FAULTS[name]:
            assert proxy.answered.wait(10)
        assert not proxy.armed
        assert not refused or name in MAY_BE_REFUSED
        assert check(callers.recorder.calls, log_of(database)) == []
        for method in refused:
            if "key" in method:
                callers.repeat(method)
        assert check(callers.recorder.calls, log_of(database)) == []
    assert_consistent(database)
