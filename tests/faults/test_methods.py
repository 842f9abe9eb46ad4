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
from tests.faults.proxy import Fault, Proxy
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

    def call_together(self, proxy: Proxy, fault: Fault) -> Sequence[str]:
        """Calls every method at once, so that one append holds them all and the fault strikes it.

        Returns the methods whose calls were refused.
        """
        threads = ThreadPoolExecutor(len(METHODS) + 1)
        with threads, closing(Client(self._address)) as other:
            # Calls that come while this append waits share the next one.
            with append_lock(proxy.database) as is_wanted:
                first = threads.submit(other.create, OTHERS)
                until(is_wanted)
                proxy.arm(fault)
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


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_a_call_happens_as_it_was_answered_whatever_the_line_does(
    proxy: Proxy, address: str, database: str, fault: Fault
) -> None:
    with closing(Callers(address)) as callers:
        refused = callers.call_together(proxy, fault)
        assert proxy.acted.is_set()
        proxy.released.set()
        if fault is Fault.DELIVER_LATE:
            assert proxy.answered.wait(10)
        assert check(callers.recorder.calls, log_of(database)) == []
        for name in refused:
            if "key" in name:
                callers.repeat(name)
        assert check(callers.recorder.calls, log_of(database)) == []
    assert_consistent(database)
