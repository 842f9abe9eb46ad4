"""Start, stop, kill and start again: what was answered is there, and nothing else happened."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

import grpc
import psutil
import pytest
from workflows.workflows_pb2_grpc import WorkflowsServiceStub
from workflows_testing import requests

from tests.support.client import WITHIN, Client, Refused, together
from tests.support.database import select
from tests.support.records import assert_consistent
from tests.support.service import Service
from tests.support.waiting import is_alive, until

_NAMES = "SELECT name FROM workflows WHERE user_id = 'alice' ORDER BY name"


class Callers:
    """Callers who create one workflow after the other until they are refused."""

    def __init__(self, client: Client, count: int) -> None:
        self._client = client
        self._count = count
        self._lock = Lock()
        self.answered: list[str] = []
        self.refused: dict[str, grpc.StatusCode] = {}

    def call_until_refused(self, when_busy: Callable[[], None]) -> None:
        """Calls from all sides, does this once when calls are under way, and goes on."""

        def disturb() -> None:
            until(lambda: len(self.answered) >= 3 * self._count)
            when_busy()

        together([disturb, *[self._caller(number) for number in range(self._count)]])

    def _caller(self, number: int) -> Callable[[], None]:
        def call() -> None:
            serial = 0
            while True:
                name = f"{number}-{serial}"
                try:
                    self._client.create("alice", name=name, idempotency_key=name)
                except Refused as refusal:
                    with self._lock:
                        self.refused[name] = refusal.code
                    return
                with self._lock:
                    self.answered.append(name)
                serial += 1

        return call


def test_what_was_answered_outlives_a_kill(serve: Callable[..., Service]) -> None:
    service = serve()
    workflow_id = service.client.created("alice")
    before = service.client.get(workflow_id, "alice")
    service.kill()
    assert serve().client.get(workflow_id, "alice") == before


def test_no_answered_call_is_lost_in_a_kill(serve: Callable[..., Service], database: str) -> None:
    service = serve()
    callers = Callers(service.client, 16)
    callers.call_until_refused(service.kill)
    assert set(callers.answered) <= set(_names(database))
    assert_consistent(database)


def test_calls_lost_in_a_kill_happen_once_when_repeated(
    serve: Callable[..., Service], database: str
) -> None:
    service = serve()
    callers = Callers(service.client, 16)
    callers.call_until_refused(service.kill)
    client = serve().client
    for name in callers.refused:
        client.create("alice", name=name, idempotency_key=name)
    assert _names(database) == sorted([*callers.answered, *callers.refused])


@pytest.mark.both_wires
def test_calls_in_flight_at_a_stop_are_answered_or_had_no_effect(
    serve: Callable[..., Service], database: str
) -> None:
    service = serve()
    callers = Callers(service.client, 16)
    callers.call_until_refused(service.tell_to_stop)
    assert service.wait() == 0
    assert _names(database) == sorted(callers.answered)


@pytest.mark.both_wires
def test_calls_refused_at_a_stop_are_told_to_go_elsewhere(serve: Callable[..., Service]) -> None:
    codes: set[grpc.StatusCode] = set()
    for service in [serve() for _ in range(4)]:  # It is a race: several have a better chance.
        callers = Callers(service.client, 64)
        callers.call_until_refused(service.tell_to_stop)
        codes |= set(callers.refused.values())
    assert codes == {grpc.StatusCode.UNAVAILABLE}


def test_a_burst_at_a_stop_is_answered_or_refused_in_words(serve: Callable[..., Service]) -> None:
    service = serve()
    # Channels with the same options would share a connection.
    channels = [grpc.insecure_channel(service.address, [("number", n)]) for n in range(8)]
    stubs = [WorkflowsServiceStub(channel) for channel in channels]
    request = requests.create("alice")
    calling = [stubs[n % 8].CreateWorkflow.future(request, timeout=WITHIN) for n in range(4000)]
    until(lambda: any(call.done() for call in calling))
    service.tell_to_stop()
    errors = [call.exception() for call in calling]
    refused = [Refused(error) for error in errors if isinstance(error, grpc.RpcError)]
    assert {(each.code, each.reason) for each in refused} <= {
        (grpc.StatusCode.UNAVAILABLE, "DRAINING"),
        (grpc.StatusCode.UNAVAILABLE, "OVERLOADED"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "SHARE_EXCEEDED"),
    }
    assert service.wait() == 0
    for channel in channels:
        channel.close()


def test_a_stop_leaves_a_consistent_database(serve: Callable[..., Service], database: str) -> None:
    service = serve()
    Callers(service.client, 16).call_until_refused(service.tell_to_stop)
    service.wait()
    assert_consistent(database)


def test_a_stop_ends_well_with_idle_connections(serve: Callable[..., Service]) -> None:
    service = serve()
    service.client.create("alice")
    assert service.stop() == 0


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A data directory; whatever server was left on it ends with these tests."""
    directory = Path(tempfile.mkdtemp(prefix="workflows-"))
    yield directory
    _kill_servers(directory)
    shutil.rmtree(directory)


def test_an_embedded_database_outlives_a_kill(data_dir: Path) -> None:
    with Service("--data-dir", str(data_dir)) as service:
        workflow_id = service.client.created("alice")
        service.kill()
    with Service("--data-dir", str(data_dir)) as service:
        assert service.client.get(workflow_id, "alice").message.name == "nightly"


def test_an_embedded_database_outlives_the_kill_of_everything(data_dir: Path) -> None:
    with Service("--data-dir", str(data_dir)) as service:
        workflow_id = service.client.created("alice")
        service.kill()
    _kill_servers(data_dir)
    with Service("--data-dir", str(data_dir)) as service:
        assert service.client.get(workflow_id, "alice").message.name == "nightly"


def test_an_embedded_database_outlives_a_kill_where_its_number_is_taken(data_dir: Path) -> None:
    with Service("--data-dir", str(data_dir)) as service:
        service.client.create("alice")
        service.kill()
    _kill_servers(data_dir)
    for left_over in (
        data_dir / "postgres" / "postmaster.pid",
        data_dir / "socket" / ".s.PGSQL.5432.lock",
    ):
        _, *lines = left_over.read_text().splitlines()
        left_over.write_text("\n".join([str(os.getpid()), *lines, ""]))
    with Service("--data-dir", str(data_dir)) as service:
        service.client.create("alice")


def test_a_stop_ends_the_embedded_database(data_dir: Path) -> None:
    with Service("--data-dir", str(data_dir)) as service:
        service.client.create("alice")
        assert _servers(data_dir)
        assert service.stop() == 0
    assert not _servers(data_dir)


def test_a_stop_after_a_kill_ends_the_embedded_database(data_dir: Path) -> None:
    with Service("--data-dir", str(data_dir)) as service:
        service.client.create("alice")
        service.kill()
    assert _servers(data_dir)
    with Service("--data-dir", str(data_dir)) as service:
        service.client.create("alice")
        assert service.stop() == 0
    assert not _servers(data_dir)


def test_the_last_of_two_services_on_a_data_directory_ends_its_database(data_dir: Path) -> None:
    on = ("--data-dir", str(data_dir))
    with Service(*on) as one:
        one.client.create("alice")
        with Service(*on) as other:
            workflow_id = other.client.created("alice")
            assert one.stop() == 0
            assert other.client.get(workflow_id, "alice").message.name == "nightly"
            assert other.stop() == 0
    assert not _servers(data_dir)


def _names(dsn: str) -> Sequence[str]:
    return sorted(name for (name,) in select(dsn, _NAMES))


def _servers(directory: Path) -> Sequence[psutil.Process]:
    """The PostgreSQL processes on a data directory."""
    where = str(directory / "postgres")
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.name() == "postgres" and process.cwd() == where:
                found.append(process)
    return found


def _kill_servers(directory: Path) -> None:
    """Kills the PostgreSQL processes on a data directory, and waits until nothing is left."""
    killed = _servers(directory)
    for process in killed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    until(lambda: not any(is_alive(process.pid) for process in killed))
