"""The whole service while the commits of its database get lost, and while there is no database."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from typing import Any

import grpc
import pytest
from workflows_testing import requests

from tests.faults.proxy import Fault, Proxy
from tests.support.client import Client, Refused, refused
from tests.support.readiness import is_ready
from tests.support.records import assert_consistent
from tests.support.service import Service
from tests.support.waiting import until, wait_for_the_lock

OTHERS_WAIT_AT_MOST = 5.0  # seconds
HEAD_START = 0.5  # seconds that the second has left when the time of the first is over
ENDS_WITHIN = 6.0  # seconds: of any call, whatever the database does
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


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def refused_within(calls: Sequence[Call]) -> Sequence[Refused]:
    """How calls made at once were refused, each of them in time."""
    threads = ThreadPoolExecutor()
    refusals = [threads.submit(refused, call) for call in calls]
    _, late = wait(refusals, ENDS_WITHIN)
    threads.shutdown(wait=False)
    assert [refusals.index(refusal) for refusal in late] == []
    return [refusal.result() for refusal in refusals]


def test_a_commit_lost_in_silence_keeps_other_servers_waiting_no_longer_than_5_s(
    proxy: Proxy, client: Client, database: str
) -> None:
    with Service("--database-url", database) as other, ThreadPoolExecutor() as threads:
        example = other.client.created(ALICE, max_consecutive_job_failures_allowed=9)
        proxy.arm(Fault.BLACKHOLE_COMMIT)
        counted = threads.submit(client.increment, example)
        wait_for_the_lock(database, HEAD_START)
        assert seconds(lambda: other.client.increment(example)) < OTHERS_WAIT_AT_MOST
        assert refused(lambda: counted.result(10)).code is grpc.StatusCode.UNAVAILABLE
        assert other.client.increment(example).version == 3  # It was not recorded, as it said.
    assert_consistent(database)


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
    for outcome in refused_within(calls):
        assert outcome.code is grpc.StatusCode.UNAVAILABLE
        assert outcome.retry
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
    for outcome in refused_within(calls):
        assert outcome.code is grpc.StatusCode.UNAVAILABLE
    until(lambda: not is_ready(client), within=20)
    proxy.come_back()
    until(lambda: is_ready(client), within=20)


def test_large_workflows_that_are_created_together_are_all_created(
    client: Client, database: str
) -> None:
    payload = '{"url": "https://example.com/hook", "body": "' + '\\"' * (MEBIBYTE // 2 - 64) + '"}'
    with ThreadPoolExecutor() as threads:
        made = [threads.submit(client.created, ALICE, payload=payload) for _ in range(8)]
        ids = {workflow.result(30) for workflow in made}
    assert len(ids) == 8
    assert_consistent(database)
