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


def test_answered_calls_outlive_a_kill_and_lost_ones_happen_once_when_repeated(
    serve: Callable[..., Service], database: str
) -> None:
    service = serve()
    callers = Callers(service.client, 16)
    callers.call_until_refused(service.kill)
    client = serve().client
    for name in callers.refused:
        client.create("alice", name=name, idempotency_key=name)
    assert _names(database) == sorted([*callers.answered, *callers.refused])
    assert_consistent(database)


@pytest.mark.both_wires
def test_calls_at_a_stop_are_answered_or_sent_elsewhere_without_effect(
    serve: Callable[..., Service], database: str
) -> None:
    service = serve()
    callers = Callers(service.client, 64)
    callers.call_until_refused(service.tell_to_stop)
    assert service.wait() == 0
    assert set(callers.refused.values()) == {grpc.StatusCode.UNAVAILABLE}
    assert _names(database) == sorted(callers.answered)
    assert_consistent(database)


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


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A data directory; a server that is left on it ends with these tests."""
    directory = Path(tempfile.mkdtemp(prefix="workflows-"))
    yield directory
    _kill_servers(directory)
    shutil.rmtree(directory)


def test_an_embedded_database_outlives_a_kill_and_ends_with_the_next_stop(data_dir: Path) -> None:
    with Service("--data-dir", str(data_dir)) as service:
        workflow_id = service.client.created("alice")
        service.kill()
    assert _servers(data_dir)
    with Service("--data-dir", str(data_dir)) as service:
        assert service.client.get(workflow_id, "alice").message.name == "nightly"
        assert service.stop() == 0
    assert not _servers(data_dir)


def test_an_embedded_database_outlives_the_kill_of_everything_and_a_pid_that_is_taken(
    data_dir: Path,
) -> None:
    with Service("--data-dir", str(data_dir)) as service:
        workflow_id = service.client.created("alice")
        service.kill()
    _kill_servers(data_dir)
    for left_over in (
        data_dir / "postgres" / "postmaster.pid",
        data_dir / "socket" / ".s.PGSQL.5432.lock",
    ):
        _, *lines = left_over.read_text().splitlines()
        left_over.write_text("\n".join([str(os.getpid()), *lines, ""]))
    with Service("--data-dir", str(data_dir)) as service:
        assert service.client.get(workflow_id, "alice").message.name == "nightly"


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
