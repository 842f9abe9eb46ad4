"""Under attack: the process lives, neighbours are served, and nothing is kept of the attackers.

`make test` attacks each way for a moment; `make abuse` for longer, and judges speed as well.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Event
from time import monotonic

import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.abuse.attacks import ATTACKS, MIB, Attack
from tests.support.client import Client, together
from tests.support.http2 import Http2
from tests.support.service import Service
from tests.support.waiting import until

SECONDS = float(os.environ.get("ABUSE_SECONDS", "0.7"))
JUDGES_SPEED = "ABUSE_SECONDS" in os.environ
ATTACKERS = 4  # threads, each with one connection at a time
PEAK = 256 * MIB  # above rest
KEPT = 32 * MIB
PATIENCE = "1"  # seconds: what silent and deaf clients hold is let go after it
ANSWERED_WITHIN = 5.0  # seconds: of a neighbour's call, on a machine that does much else


@pytest.fixture(scope="module")
def service(shared_database: str) -> Iterator[Service]:
    """A process that is attacked in every way, one after the other."""
    on = ("--database-url", shared_database)
    with Service(*on, WORKFLOWS_PATIENCE=PATIENCE) as service:
        # What a first use makes belongs to rest: threads, connections to the database.
        together([partial(service.client.create, "neighbour") for _ in range(20)])
        together([partial(service.client.page, "neighbour") for _ in range(20)])
        yield service


class Held:
    """What a process holds."""

    def __init__(self, service: Service) -> None:
        process = psutil.Process(service.pid)
        self.memory = process.memory_info().rss
        self.threads = process.num_threads()
        self.descriptors = process.num_fds()

    def is_back_at(self, rest: "Held") -> bool:
        """Whether nothing is left of an attack; a thread or two may have been asleep at rest."""
        return (
            self.memory <= rest.memory + KEPT
            and self.threads <= rest.threads + 2
            and self.descriptors <= rest.descriptors + 2
        )


def attacking(attack: Attack, address: str, over: Event) -> int:
    """Attacks on one connection after the other; returns on how many."""
    connections = 0
    while not over.is_set():
        connections += 1
        with suppress(OSError), Http2(address) as client:
            attack(client)
    return connections


def neighbourly(client: Client, workflow_id: str) -> list[float]:
    """An ordinary client's calls while others attack: their seconds."""
    taken: list[float] = []
    deadline = monotonic() + SECONDS
    while monotonic() < deadline or len(taken) < 3:
        begun = monotonic()
        assert client.get(workflow_id, "neighbour").message.id == workflow_id
        taken.append(monotonic() - begun)
    return taken


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_leaves_nothing_behind_and_neighbours_are_served(
    service: Service, attack: Attack
) -> None:
    client = service.client
    workflow_id = client.created("neighbour")
    rest, over = Held(service), Event()
    with ThreadPoolExecutor(ATTACKERS) as attackers:
        connections = [
            attackers.submit(attacking, attack, service.address, over) for _ in range(ATTACKERS)
        ]
        try:
            taken = neighbourly(client, workflow_id)
            peak = Held(service).memory
            health = health_pb2_grpc.HealthStub(client.channel).Check(
                health_pb2.HealthCheckRequest(), timeout=ANSWERED_WITHIN
            )
        finally:
            over.set()
    assert all(each.result() for each in connections)
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert max(taken) < ANSWERED_WITHIN
    assert peak < rest.memory + PEAK
    if JUDGES_SPEED:
        assert sorted(taken)[int(0.99 * len(taken))] < 0.05, "p99 of a neighbour's Get, in seconds"
    until(lambda: Held(service).is_back_at(rest))


def test_a_stop_in_the_middle_of_every_attack_at_once_ends_well(shared_database: str) -> None:
    over = Event()
    with (
        Service("--database-url", shared_database) as service,
        ThreadPoolExecutor(len(ATTACKS)) as attackers,
    ):
        service.client.created("neighbour")
        under_way = [
            attackers.submit(attacking, attack, service.address, over)
            for attack in ATTACKS.values()
        ]
        try:
            service.client.created("neighbour")
            assert service.stop() == 0
        finally:
            over.set()
    assert all(each.done() for each in under_way)
