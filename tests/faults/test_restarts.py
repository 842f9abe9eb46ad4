"""PostgreSQL restarts, crashes or fails over under load: clients notice a pause, and nothing else.

`make restarts` breaks it off as often as asked for and holds the service to its promise of time;
`make test` does so once or twice and is patient.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import cycle
from pathlib import Path

import pytest
from workflows_testing.checks import check
from workflows_testing.workload import Workload

from infrastructure.postgres.migrate import migrate
from tests.faults.nemesis import serving
from tests.support.cluster import Cluster, first_that_writes, folder_for_clusters
from tests.support.database import answers, select, value
from tests.support.examples import Example, go_example, python_example, running
from tests.support.records import assert_consistent, log_of
from tests.support.waiting import until

RESTARTS = int(os.environ.get("RESTARTS") or 2)
BACK_WITHIN = 5.0 if "RESTARTS" in os.environ else 60.0  # seconds from the database to the calls
SOME_CALLS = 20
UNENDING = 1_000_000  # reports
EXPECTED = {"", "OK", "UNAVAILABLE", "NOT_FOUND", "FAILED_PRECONDITION"}
REPORTS = "SELECT originator_id::text FROM workflow_events WHERE position(%s IN content) > 0"


@pytest.fixture
def clusters() -> Iterator[Path]:
    """A folder for servers."""
    with folder_for_clusters() as folder:
        yield folder


@pytest.fixture
def primary(clusters: Path) -> Iterator[Cluster]:
    """A server with a migrated database."""
    cluster = Cluster(clusters / "primary")
    cluster.make()
    migrate(cluster.dsn)
    yield cluster
    cluster.stop(signal.SIGINT)


@pytest.fixture
def standby(clusters: Path, primary: Cluster) -> Iterator[Cluster]:
    """A server that has all that the primary acknowledged."""
    cluster = Cluster(clusters / "standby")
    primary.copy_to(cluster, "-R", "-X", "stream")
    primary.stop(signal.SIGINT)
    primary.settings["synchronous_standby_names"] = "*"
    primary.start()
    cluster.start()
    until(
        lambda: value(
            primary.dsn, "SELECT count(*) FROM pg_stat_replication WHERE sync_priority > 0"
        )
    )
    yield cluster
    cluster.stop(signal.SIGINT)


def until_more(printed: Callable[[], list[str]], within: float) -> None:
    """Waits until an example has made another report."""
    before = len(printed())
    until(lambda: len(printed()) > before, within)


def under_load(
    dsn: str, example: Example, folder: Path, breaks: list[Callable[[], Callable[[], bool]]]
) -> None:
    """Breaks a database while an example and other clients call, and judges what they were told.

    Each of `breaks` does harm, and returns what tells whether the database is back.
    """
    with closing(serving(dsn)) as service:
        program = example(service.address, folder, UNENDING)
        with (
            Workload([service.address], seed=1, clients=4, within=20) as load,
            running(program, folder) as (process, printed),
        ):
            until(lambda: len(printed()) > SOME_CALLS)
            for harm in breaks:
                load.reaches(SOME_CALLS)
                until(harm())
                deadline = time.monotonic() + BACK_WITHIN
                load.reaches(SOME_CALLS, BACK_WITHIN)
                until_more(printed, max(0.1, deadline - time.monotonic()))
                assert process.poll() is None, (folder / "errors").read_text()
            process.kill()
            process.wait()
        made = printed()
        stored = {workflow_id for (workflow_id,) in select(dsn, REPORTS, b'"Report ')}
    calls = load.recorder.calls
    assert {call.code for call in calls} <= EXPECTED
    assert check(calls, log_of(dsn)) == []
    assert len(set(made)) == len(made)
    assert set(made) <= stored
    assert len(stored) <= len(made) + 1  # One may not have been printed any more.
    assert_consistent(dsn)


@pytest.mark.parametrize("example", [python_example, go_example])
def test_a_database_that_restarts_loses_and_doubles_nothing(
    primary: Cluster, example: Example, tmp_path: Path
) -> None:
    def restart(by: int) -> Callable[[], Callable[[], bool]]:
        def harm() -> Callable[[], bool]:
            primary.stop(by)
            primary.begin_to_start()
            return lambda: answers(primary.dsn)

        return harm

    ways = cycle([signal.SIGINT, signal.SIGQUIT])
    under_load(primary.dsn, example, tmp_path, [restart(next(ways)) for _ in range(RESTARTS)])


def test_a_standby_that_is_promoted_is_found_and_has_all_that_was_acknowledged(
    primary: Cluster, standby: Cluster, tmp_path: Path
) -> None:
    def fail_over() -> Callable[[], bool]:
        primary.stop(signal.SIGQUIT)
        standby.promote()
        return lambda: not value(standby.dsn, "SELECT pg_is_in_recovery()")

    under_load(first_that_writes(primary, standby), python_example, tmp_path, [fail_over])
