"""Several processes on one port: the same promises, and none of them missed when it dies."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import TypeVar

import grpc
import psutil
import pytest

from tests.e2e.client import Answer, Client, Refused, together
from tests.e2e.records import assert_consistent, events_of
from tests.e2e.service import Service

T = TypeVar("T")
WITHIN = 60.0  # seconds: patience with a slow machine, not an expectation


@pytest.fixture
def service(database: str) -> Iterator[Service]:
    """Three workers on a database of this test's own."""
    with Service("--database-url", database, "--workers", "3") as service:
        _until(lambda: len(_workers(service)) == 3)
        yield service


@pytest.fixture
def clients(service: Service) -> Iterator[list[Client]]:
    """Twelve connections, which the kernel spreads over the workers."""
    clients = [Client(service.address) for _ in range(12)]
    _until(lambda: _answers(clients[0]))
    yield clients
    for client in clients:
        client.close()


def test_racing_increments_reach_the_threshold_once(clients: list[Client], database: str) -> None:
    workflow_id = clients[0].created("ada", max_consecutive_job_failures_allowed=32)
    jobs = [partial(clients[n % 12].increment, workflow_id, job_id=f"job {n}") for n in range(32)]
    answers = [answer for answer in together(jobs) if isinstance(answer, Answer)]
    assert [answer.message.threshold_reached for answer in answers].count(True) == 1
    assert clients[0].get_by_id(workflow_id).message.consecutive_job_failures_count == 32
    assert events_of(database, workflow_id).count("terminated") == 1
    assert_consistent(database)


def test_racing_creates_with_one_key_make_one_workflow(clients: list[Client]) -> None:
    creates = [partial(clients[n % 12].create, "ada", idempotency_key="k") for n in range(48)]
    answers = [answer for answer in together(creates) if isinstance(answer, Answer)]
    assert len(answers) == 48
    assert len({answer.message.id for answer in answers}) == 1


def test_what_one_worker_acknowledged_every_worker_sees(clients: list[Client]) -> None:
    workflow_id = clients[0].created("ada")
    for interval, writer in enumerate(clients, 10):
        writer.update(workflow_id, "ada", interval=interval)
        seen = {client.get(workflow_id, "ada").message.interval for client in clients}
        assert seen == {interval}


def test_a_worker_that_dies_is_replaced(service: Service, clients: list[Client]) -> None:
    before = _workers(service)
    os.kill(before[0], signal.SIGKILL)
    _until(lambda: len(set(_workers(service)) - set(before)) == 1)
    with closing(Client(service.address)) as client:
        _until(lambda: _answers(client))


def test_stopping_drains_every_worker(service: Service) -> None:
    workers = _workers(service)
    assert service.stop() == 0
    assert not any(psutil.pid_exists(pid) for pid in workers)


def test_workers_do_not_outlive_their_parent(service: Service) -> None:
    workers = _workers(service)
    service.kill()
    _until(lambda: not any(psutil.pid_exists(pid) for pid in workers))


def _workers(service: Service) -> list[int]:
    """The processes that serve; Python's own tracker of resources is none of them."""
    children = psutil.Process(service.pid).children()
    return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]


def _answers(client: Client) -> bool:
    try:
        client.page("nobody")
    except Refused as refusal:
        if refusal.code != grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.05)
