"""Processes that end at the wrong moment: what was acknowledged stays, nothing happens twice."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import grpc
import pytest

from tests.faults.conftest import EMPTY
from tests.faults.load import Load, assert_nothing_lost_or_doubled, load
from tests.faults.own_server import OwnServer
from tests.faults.writers import writer
from tests.support.database import execute, value
from tests.support.given import ID, create, increment
from tests.support.records import assert_consistent, events_of
from tests.support.service import Service
from tests.support.waiting import until

BACKENDS = "FROM pg_stat_activity WHERE application_name = 'workflows'"
TERMINATE = f"SELECT pg_terminate_backend(pid) {BACKENDS} AND datname = current_database()"


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


def refused_once_more(working: Load) -> Callable[[], bool]:
    """Whether a call was refused since now."""
    before = working.refused
    return lambda: working.refused > before


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
        execute(own_database, "ALTER SYSTEM SET synchronous_standby_names = 'ghost'")
        try:
            execute(own_database, "SELECT pg_reload_conf()")
            waiting = threads.submit(commands.done, increment())
            until(
                lambda: (
                    value(own_database, f"SELECT count(*) {BACKENDS} AND wait_event = 'SyncRep'")
                    == 1
                )
            )
            execute(own_database, TERMINATE)
            (outcome,) = waiting.result(10)
        finally:
            execute(own_database, "ALTER SYSTEM RESET synchronous_standby_names")
            execute(own_database, "SELECT pg_reload_conf()")
    assert outcome.version == 2
    assert events_of(own_database, ID) == ["created", "failure_incremented"]
    assert_consistent(own_database)


def test_a_crash_of_the_database_under_load_loses_nothing_acknowledged(
    server: OwnServer, own_database: str
) -> None:
    with Service("--database-url", own_database) as service:
        with load(service.client) as working:
            for _ in range(2):
                working.reaches(60)
                server.crash()
                until(refused_once_more(working))
                server.start()
            working.reaches(60)
        assert set(working.refusals) == {grpc.StatusCode.UNAVAILABLE}
        assert_nothing_lost_or_doubled(working, own_database)
        assert_consistent(own_database)


def test_sessions_ended_at_random_under_load_lose_and_double_nothing(database: str) -> None:
    with Service("--database-url", database) as service, load(service.client) as working:
        for _ in range(20):
            working.reaches(10)
            execute(database, TERMINATE)
        working.reaches(10)
    assert set(working.refusals) <= {grpc.StatusCode.UNAVAILABLE}
    assert_nothing_lost_or_doubled(working, database)
    assert_consistent(database)


def test_a_killed_server_leaves_whole_batches_and_its_unknown_calls_can_be_repeated(
    database: str,
) -> None:
    with Service("--database-url", database) as killed, load(killed.client) as working:
        working.reaches(100)
        killed.kill()
    assert_nothing_lost_or_doubled(working, database)
    assert_consistent(database)
    with Service("--database-url", database) as restarted:
        for workflow, job in working.asked:
            known = (workflow, job) in working.acknowledged
            assert restarted.client.increment(workflow, job).replayed or not known
            working.acknowledged.add((workflow, job))
    assert_nothing_lost_or_doubled(working, database)
    assert_consistent(database)
