"""Processes that end at the wrong moment: what was acknowledged stays, nothing happens twice."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from random import SystemRandom

import pytest
from workflows_testing.checks import check, check_reads
from workflows_testing.workload import Workload

from application.draft import Done
from application.ports import OutcomeUnknown
from tests.faults.conftest import EMPTY
from tests.faults.nemesis import BACKENDS, SOME_CALLS, TERMINATE, Nemesis, serving
from tests.faults.own_server import OwnServer
from tests.faults.writers import writer
from tests.support.database import execute, select, value
from tests.support.given import ID, create, increment
from tests.support.records import assert_consistent, events_of, log_of, shown
from tests.support.service import Service
from tests.support.waiting import until

ANSWERED_WITHIN = 5.0  # seconds
EXPECTED = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "NOT_FOUND", "FAILED_PRECONDITION"}
NEW = "SELECT notification_id FROM workflow_events WHERE notification_id > %s ORDER BY 1"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    """A server that the tests of this module may harm."""
    with closing(OwnServer()) as server:
        yield server


@pytest.fixture
def own_database(server: OwnServer) -> str:
    """The DSN of that server's database, emptied."""
    execute(server.dsn, EMPTY)
    return server.dsn


@contextmanager
def closing_all(services: list[Service]) -> Iterator[None]:
    """Ends the processes that the list holds at the end."""
    try:
        yield
    finally:
        for service in services:
            service.close()


@contextmanager
def without_its_standby(database: str) -> Iterator[None]:
    """Commits wait for a standby that does not exist."""
    execute(database, "ALTER SYSTEM SET synchronous_standby_names = 'ghost'")
    try:
        execute(database, "SELECT pg_reload_conf()")
        # Commits wait only after the checkpointer has read the setting. It was asked to when new
        # sessions have the setting, and it reads before it makes its next checkpoint.
        until(lambda: value(database, "SHOW synchronous_standby_names") == "ghost")
        execute(database, "CHECKPOINT")
        yield
    finally:
        execute(database, "ALTER SYSTEM RESET synchronous_standby_names")
        execute(database, "SELECT pg_reload_conf()")


def new_positions(database: str, after: Sequence[int]) -> Sequence[int]:
    """What a follower of the feed reads next."""
    return [position for (position,) in select(database, NEW, max(after, default=0))]


def test_a_session_ended_between_two_batches_is_replaced(database: str) -> None:
    with writer(database) as commands:
        commands.done(create())
        execute(database, TERMINATE)
        commands.done(increment())
        execute(database, TERMINATE)
        commands.done(increment(job_id="j"))
        execute(database, TERMINATE)
        commands.done(create(id="0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e70"))
    assert events_of(database, ID) == ["created"] + ["failure_incremented"] * 2
    assert_consistent(database)


def test_an_append_that_is_stored_while_its_session_ends_counts_once(own_database: str) -> None:
    with writer(own_database) as commands, ThreadPoolExecutor() as threads:
        commands.done(create())
        with without_its_standby(own_database):
            waiting = threads.submit(commands.done, increment())
            until(
                lambda: (
                    value(own_database, f"SELECT count(*) {BACKENDS} AND wait_event = 'SyncRep'")
                    == 1
                )
            )
            execute(own_database, TERMINATE)
            (outcome,) = waiting.result(10)
    assert outcome.version == 2
    assert events_of(own_database, ID) == ["created", "failure_incremented"]
    assert_consistent(own_database)


def test_a_primary_without_its_standby_keeps_no_caller_waiting(own_database: str) -> None:
    with writer(own_database) as commands:
        commands.done(create())
        with without_its_standby(own_database):
            began = time.monotonic()
            (first,) = commands.write(increment(job_id="j"))
            assert time.monotonic() - began < ANSWERED_WITHIN
            assert isinstance(first, OutcomeUnknown)
        until(lambda: isinstance(commands.write(increment(job_id="j"))[0], Done))
    assert events_of(own_database, ID) == ["created", "failure_incremented"]
    assert_consistent(own_database)


def test_faults_of_servers_and_backends_lose_double_and_hide_nothing(
    server: OwnServer, own_database: str
) -> None:
    seed = int(os.environ.get("NEMESIS_SEED") or SystemRandom().getrandbits(32))
    print(f"NEMESIS_SEED={seed}")  # noqa: T201 - shown if the test fails
    services = [serving(own_database), serving(own_database)]
    addresses = [service.address for service in services]
    positions: list[int] = []
    with closing_all(services), Workload(addresses, seed, within=1) as workload:
        for fault in Nemesis(seed, server, services, workload.reaches).faults:
            print(fault.__name__)  # noqa: T201 - as above
            workload.reaches(SOME_CALLS)
            fault()
            workload.reaches(SOME_CALLS)
            positions += new_positions(own_database, after=positions)
    calls = workload.recorder.calls
    assert {call.code for call in calls} <= {"", "OK", *EXPECTED}
    assert check(calls, log_of(own_database), [positions]) == []
    assert check_reads(calls, shown(own_database)) == []
    assert_consistent(own_database)
