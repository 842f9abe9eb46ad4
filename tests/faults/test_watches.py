"""Watches under load and under faults: each event once, in order.

`make test` loads the service for a moment; `make watches` for a minute.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial

import pytest

from tests.faults.nemesis import TERMINATE
from tests.faults.own_server import OwnServer
from tests.support.client import together
from tests.support.database import execute, value
from tests.support.service import Service
from tests.support.waiting import until
from tests.support.watches import Watcher

SECONDS = float(os.environ.get("WATCH_SECONDS", "2"))
CUT_EVERY = min(3.0, SECONDS / 5)
CAUGHT_UP_WITHIN = 60 + 4 * SECONDS  # patience with a slow machine, not an expectation
LAST = "SELECT coalesce(max(notification_id), 0) FROM workflow_events"
FOUND = "SELECT count(*) FROM event_search"


@contextmanager
def watchers(*all_of_them: Watcher) -> Iterator[None]:
    """Watches during the block."""
    for each in all_of_them:
        each.start()
    try:
        yield
    finally:
        for each in all_of_them:
            each.stop()


def writer(address: str) -> "subprocess.Popen[str]":
    """A process that loads a service for SECONDS."""
    command = (sys.executable, "-m", "tests.faults.creating", address, str(SECONDS))
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_each_watcher_sees_every_event_once_and_in_order_while_four_writers_write(
    database: str,
) -> None:
    execute(database, "TRUNCATE followers, event_search, feed_times")
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(Service("--database-url", database)).address for _ in range(2)
        )
        steady = [Watcher([one]), Watcher([other], user_id="writer")]
        cut = Watcher([one, other])
        stack.enter_context(watchers(*steady, cut))
        processes = [stack.enter_context(writer(each)) for each in (one, other, one, other)]
        while any(process.poll() is None for process in processes):
            time.sleep(CUT_EVERY)
            cut.cut()
        created = sum(int(process.communicate()[0]) for process in processes)
        until(lambda: all(each.last >= created for each in (*steady, cut)), within=CAUGHT_UP_WITHIN)
        until(lambda: value(database, FOUND) == created, within=CAUGHT_UP_WITHIN)
        for each in (*steady, cut):
            assert each.positions == list(range(1, created + 1)), each.ends
    assert value(database, LAST) == created
    assert cut.ends.total() >= 3, "it was not cut"
    if "WATCH_SECONDS" in os.environ:
        print(f"{created} events, {created / SECONDS:.0f}/s; cut: {dict(cut.ends)}")  # noqa: T201 - asked for


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    """A server that the tests of this module may harm."""
    with closing(OwnServer()) as server:
        yield server


def test_a_watch_and_the_search_go_on_at_another_process_when_theirs_is_killed(
    server: OwnServer,
) -> None:
    on = ("--database-url", server.dsn)
    with Service(*on) as first, Service(*on, WORKFLOWS_FOLLOWERS="false") as second:
        watcher = Watcher([first.address, second.address])
        with watchers(watcher):
            together([partial(first.client.created, "ann")] * 5)
            until(lambda: watcher.last == value(server.dsn, LAST))
            first.kill()
            together([partial(second.client.created, "ann")] * 5)
            last = value(server.dsn, LAST)
            until(lambda: watcher.last == last)
            with Service(*on):
                until(lambda: value(server.dsn, FOUND) == last)
        assert watcher.positions == list(range(1, last + 1))
        assert watcher.ends["UNAVAILABLE"]


@pytest.mark.parametrize("fault", ["connections", "database"])
def test_a_watch_and_the_search_go_on_when_their_database_comes_back(
    server: OwnServer, fault: str
) -> None:
    with Service("--database-url", server.dsn) as service:
        watcher = Watcher([service.address])
        with watchers(watcher):
            create = partial(service.client.created, "ann")
            together([create] * 5)
            before = value(server.dsn, LAST)
            until(lambda: watcher.last == before)
            if fault == "connections":
                execute(server.dsn, TERMINATE)
            else:
                server.crash()
                server.start()
            until(lambda: _succeeds(create))
            together([create] * 5)
            last = value(server.dsn, LAST)
            until(lambda: watcher.last == last)
            until(lambda: value(server.dsn, FOUND) == last)
        assert watcher.positions == list(range(1, last + 1))
        assert set(watcher.ends) <= {"CUT", "CANCELLED"}, "the service did not end the watch"


def _succeeds(create: partial[str]) -> bool:
    try:
        return bool(create())
    except Exception:  # noqa: BLE001 - the database is away
        return False
