"""The whole service while the commits of its database get lost, and while there is no database."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import grpc
import pytest
from workflows_testing import requests

from tests.faults.proxy import Fault, Proxy
from tests.support.client import Client, Refused, outcome, refused
from tests.support.database import select
from tests.support.readiness import is_ready
from tests.support.records import assert_consistent
from tests.support.service import Service
from tests.support.waiting import until, wait_for_the_lock

HEAD_START = 0.5  # seconds that the second has left when the time of the first is over
MEBIBYTE = 1024 * 1024
ALICE = "alice"

Call = Callable[[], Any]


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    """A proxy in front of the database."""
    with closing(Proxy(database)) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[Client]:
    """A client of a service behind the proxy."""
    with Service("--database-url", proxy.dsn) as service:
        yield service.client


def refused_at_once(calls: Sequence[Call]) -> Sequence[Refused]:
    """How calls made at the same time were refused, before their own deadlines."""
    with ThreadPoolExecutor() as threads:
        refusals = list(threads.map(refused, calls))
    assert grpc.StatusCode.DEADLINE_EXCEEDED not in {refusal.code for refusal in refusals}
    return refusals


def test_a_commit_lost_in_silence_does_not_keep_other_servers_waiting_for_ever(
    proxy: Proxy, client: Client, database: str
) -> None:
    with Service("--database-url", database) as other, ThreadPoolExecutor() as threads:
        example = other.client.created(ALICE, max_consecutive_job_failures_allowed=9)
        proxy.arm(Fault.BLACKHOLE_COMMIT)
        counted = threads.submit(client.increment, example)
        wait_for_the_lock(database, HEAD_START)
        other.client.increment(example)  # It is refused if the lock is held for too long.
        assert refused(lambda: counted.result(10)).code is grpc.StatusCode.UNAVAILABLE
        assert other.client.increment(example).version == 3  # It was not recorded, as it said.
    assert_consistent(database)


def test_a_fault_waits_for_a_call_and_never_strikes_what_readiness_tries(
    proxy: Proxy, client: Client, database: str
) -> None:
    proxy.arm(Fault.DROP)
    [(armed_at,)] = select(database, "SELECT clock_timestamp()")
    until(lambda: select(database, "SELECT probed_at FROM readiness_probe")[0][0] > armed_at)
    assert proxy.armed
    client.create(ALICE)
    assert not proxy.armed


def test_a_call_that_its_caller_gave_up_is_settled_by_its_key(
    proxy: Proxy, client: Client, database: str
) -> None:
    proxy.arm(Fault.DELAY_ANSWER)
    call = client.stub.CreateWorkflow.future(requests.create(ALICE, idempotency_key="k"))
    assert proxy.acted.wait(5)
    call.cancel()
    proxy.released.set()
    again = client.create(ALICE, idempotency_key="k")
    assert again.replayed
    assert client.walk(ALICE) == [again.message.id]
    assert_consistent(database)


def test_without_a_database_calls_are_refused_soon_and_all_is_well_when_it_is_back(
    proxy: Proxy, client: Client
) -> None:
    example = client.created(ALICE)
    until(lambda: is_ready(client))
    proxy.refuse()
    calls: Sequence[Call] = [
        lambda: client.create(ALICE),
        lambda: client.increment(example, "j"),
        lambda: client.get(example, ALICE),
    ]
    for refusal in refused_at_once(calls):
        assert refusal.code is grpc.StatusCode.UNAVAILABLE
        assert refusal.retry
    until(lambda: not is_ready(client), within=20)
    proxy.come_back()
    until(lambda: is_ready(client), within=20)
    assert client.increment(example, "j").version == 2
    assert client.get(example, ALICE).version == 2


def test_a_database_that_falls_silent_is_given_up_soon(proxy: Proxy, client: Client) -> None:
    example = client.created(ALICE)
    proxy.fall_silent()
    calls: Sequence[Call] = [
        lambda: client.create(ALICE),
        lambda: client.increment(example, "j"),
        lambda: client.get(example, ALICE),
    ]
    for refusal in refused_at_once(calls):
        assert refusal.code is grpc.StatusCode.UNAVAILABLE
    until(lambda: not is_ready(client), within=20)
    proxy.come_back()
    until(lambda: is_ready(client), within=20)


def test_large_workflows_that_are_created_together_are_all_created(
    client: Client, database: str
) -> None:
    payload = '{"url": "https://example.com/hook", "body": "' + '\\"' * (MEBIBYTE // 2 - 64) + '"}'
    ids: set[str] = set()

    def is_created() -> bool:
        made = outcome(lambda: client.created(ALICE, payload=payload))
        if isinstance(made, Refused):  # Only for the share of one connection, and at once.
            assert (made.reason, made.retry) == ("SHARE_EXCEEDED", True), made
            return False
        ids.add(made)
        return True

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: until(is_created, within=30), range(8)))
    assert len(ids) == 8
    assert set(client.walk(ALICE)) == ids  # Of what was refused, nothing was recorded.
    assert_consistent(database)
