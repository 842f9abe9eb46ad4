"""The server ends a session that takes too long: nothing was recorded, and the caller learns it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from application.draft import Done
from application.ports import OutcomeUnknown
from infrastructure.postgres import connection
from tests.faults.proxy import Fault, Proxy
from tests.faults.writers import Writer, event_store, writer
from tests.support.database import value
from tests.support.given import ID, OTHER_ID, create, increment
from tests.support.records import assert_consistent, events_of
from tests.support.waiting import until

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"


@pytest.fixture(autouse=True)
def short_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction of the service may take longer than a second."""
    monkeypatch.setattr(connection, "_GUARDS", ["SET transaction_timeout = '1s'"])


@contextmanager
def append_lock(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Holds the append lock, at most until the block ends."""
    with psycopg.connect(database) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(5005201)")
        yield holder


def test_an_append_whose_session_was_ended_while_it_waited_recorded_nothing(database: str) -> None:
    with event_store(database) as store, ThreadPoolExecutor() as threads:
        session = store._session.connection().info.backend_pid
        with append_lock(database) as holder:
            waiting = threads.submit(Writer(store).write, create(), create(id=OTHER_ID))
            until(lambda: value(database, SESSIONS, session) == 0)
            holder.rollback()
            refused = waiting.result(10)
        assert [getattr(outcome, "reason", outcome) for outcome in refused] == ["STORE_BUSY"] * 2
        assert [done.position for done in Writer(store).done(create())] == [1]
    assert_consistent(database)


def is_replayed(outcome: Done | Exception) -> bool:
    return isinstance(outcome, Done) and outcome.replayed


def test_an_append_that_cannot_be_asked_for_in_time_has_an_unknown_outcome(database: str) -> None:
    with writer(database) as direct:
        direct.done(create())
    with (
        closing(Proxy(database)) as proxy,
        writer(proxy.dsn) as cut_off,
        ThreadPoolExecutor() as threads,
    ):
        proxy.arm(Fault.DELAY_ANSWER)
        lost = threads.submit(cut_off.write, increment(job_id="j"))
        until(lambda: events_of(database, ID) == ["created", "failure_incremented"])
        with append_lock(database):
            proxy.cut()
            (outcome,) = lost.result(20)
        assert isinstance(outcome, OutcomeUnknown)
        until(lambda: is_replayed(cut_off.write(increment(job_id="j"))[0]))
    assert_consistent(database)
