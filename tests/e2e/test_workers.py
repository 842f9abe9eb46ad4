"""Several processes on one port: the same promises, and none of them missed when it dies."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial

import grpc
import psutil
import pytest

from tests.support.client import Answer, Client, Refused, together
from tests.support.records import assert_consistent, events_of
from tests.support.service import Service
from tests.support.waiting import is_alive, until


@pytest.fixture
def service(database: str) -> Iterator[Service]:
    """Three workers on a database of this test's own."""
    with Service("--database-url", database, "--workers", "3") as service:
        until(lambda: len(_workers(service)) == 3)
        yield service


@pytest.fixture
def clients(service: Service) -> Iterator[list[Client]]:
    """Twelve connections, which the kernel spreads over the workers."""
    clients = [Client(service.address) for _ in range(12)]
    until(lambda: _answers(clients[0]))
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
    until(lambda: len(set(_workers(service)) - set(before)) == 1)
    with closing(Client(service.address)) as client:
        until(lambda: _answers(client))


def test_stopping_drains_every_worker(service: Service) -> None:
    workers = _workers(service)
    assert service.stop() == 0
    assert not any(is_alive(pid) for pid in workers)


def test_workers_do_not_outlive_their_parent(service: Service) -> None:
    workers = _workers(service)
    service.kill()
    until(lambda: not any(is_alive(pid) for pid in workers))


def _workers(service: Service) -> list[int]:
    """The processes that serve; Python's own tracker of resources is none of them."""
    found = []
    for child in psutil.Process(service.pid).children():
        with suppress(psutil.NoSuchProcess):  # Zombies, too, have no command line.
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found


def _answers(client: Client) -> bool:
    try:
        client.page("nobody")
    except Refused as refusal:
        if refusal.code != grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True
