"""Starts that are broken off, servers that are killed: the next start, or the service, mends it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import grpc
import pytest
from workflows_testing.client import Refused

from tests.environments.conftest import postmasters
from tests.support.service import Service
from tests.support.waiting import until

Moment = Callable[[Path], object]


def initdb_runs(data_dir: Path) -> object:
    """A cluster is being made; the server that initdb runs writes into it."""
    return list(data_dir.glob("postgres.new-*/base/1/*"))


def cluster_is_there(data_dir: Path) -> object:
    """The cluster was made; its server may be starting."""
    return (data_dir / "postgres").exists()


def server_is_there(data_dir: Path) -> object:
    """The server runs, or nearly; the service does not serve yet."""
    return (data_dir / "postgres" / "postmaster.pid").exists()


patient = pytest.mark.skipif(
    "ENVIRONMENTS" not in os.environ, reason="it takes minutes: run it by make environments"
)


@pytest.mark.parametrize(
    "moment",
    [initdb_runs, pytest.param(cluster_is_there, marks=patient), server_is_there],
)
def test_a_first_start_that_was_killed_is_done_again(folder: Path, moment: Moment) -> None:
    broken_off(folder, moment, signal.SIGKILL)
    serves_and_ends(folder)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        (initdb_runs, signal.SIGTERM),
        (server_is_there, signal.SIGHUP),
        pytest.param(cluster_is_there, signal.SIGINT, marks=patient),
    ],
)
def test_a_first_start_that_is_asked_to_end_leaves_no_server(
    folder: Path, moment: Moment, number: signal.Signals
) -> None:
    broken_off(folder, moment, number)
    assert not postmasters(folder)
    assert not list(folder.glob("*/postgres.new-*"))
    serves_and_ends(folder)


@patient
@pytest.mark.parametrize("after", [i / 10 for i in range(1, 31)])
def test_a_first_start_may_be_killed_at_any_time(folder: Path, after: float) -> None:
    data_dir = folder / "data"
    with Service("--data-dir", str(data_dir)) as service:
        until(data_dir.exists)
        began = monotonic()
        until(lambda: monotonic() - began >= after)
        service.kill()
    serves_and_ends(folder)


def broken_off(folder: Path, moment: Moment, number: signal.Signals) -> None:
    """A first start that gets a signal at a moment."""
    data_dir = folder / "data"
    with Service("--data-dir", str(data_dir)) as service:
        until(lambda: moment(data_dir))
        os.kill(service.pid, number)
        service.wait()


def serves_and_ends(folder: Path) -> None:
    """A start after that: it serves, and its end leaves nothing behind."""
    data_dir = folder / "data"
    with Service("--data-dir", str(data_dir)) as service:
        service.client.create("alice")
        assert service.stop() == 0
    assert not postmasters(folder)
    assert not list(data_dir.glob("postgres.new-*"))


def test_a_server_that_was_killed_is_started_again_and_reported_once(folder: Path) -> None:
    with Service("--data-dir", str(folder / "data")) as service:
        workflow_id = service.client.created("alice")
        for _ in range(2):
            for pid in postmasters(folder):
                os.kill(pid, signal.SIGKILL)
            until(lambda: answers(service, workflow_id))
        assert service.log().count("PostgreSQL ended (it was killed); it is started again") == 2
        assert service.stop() == 0
    assert not postmasters(folder)


def answers(service: Service, workflow_id: str) -> bool:
    """Whether the service finds a workflow; else it says that this passes."""
    try:
        return bool(service.client.get(workflow_id, "alice").message.id)
    except Refused as refused:
        if refused.code is grpc.StatusCode.UNAVAILABLE:
            return False
        raise
