"""The proxy does what its faults say: otherwise the tests that lean on it would prove nothing."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tests.faults.proxy import APPEND, Fault, Proxy
from tests.support.database import execute, value
from tests.support.waiting import until

COMMIT = b"COMMIT"
LOCK_AND_WRITE = "SELECT pg_advisory_xact_lock(5005201) IS NULL, append_events_v1(%s)"
WRITTEN = "SELECT count(*) FROM written"


@pytest.fixture
def written(empty_database: str) -> str:
    """The DSN of a database with a function of the append's name that writes a row."""
    execute(
        empty_database,
        """
        CREATE TABLE written (what text);
        CREATE FUNCTION append_events_v1(what text) RETURNS void LANGUAGE sql
        AS 'INSERT INTO written VALUES (what)';
        """,
    )
    return empty_database


@pytest.fixture
def proxy(written: str) -> Iterator[Proxy]:
    """A proxy in front of it."""
    with closing(Proxy(written)) as proxy:
        yield proxy


def test_without_a_fault_all_is_passed_on(proxy: Proxy, written: str) -> None:
    with psycopg.connect(proxy.dsn) as client:
        for _ in range(10):  # so often that the statement is prepared on the way
            client.execute(LOCK_AND_WRITE, ("x",))
    assert value(written, WRITTEN) == 10


@pytest.mark.parametrize(
    ("fault", "remains"),
    [(Fault.DROP, 0), (Fault.CUT_BEFORE_COMMIT, 0), (Fault.CUT_AFTER_COMMIT, 1)],
)
@pytest.mark.parametrize("executions", [0, 8], ids=["first", "prepared"])
def test_a_cut_statement_fails_and_was_committed_or_not(
    proxy: Proxy, written: str, fault: Fault, remains: int, executions: int
) -> None:
    with psycopg.connect(proxy.dsn, autocommit=True) as client:
        for _ in range(executions):
            client.execute(LOCK_AND_WRITE, ("before",))
        proxy.arm(fault)
        with pytest.raises(psycopg.OperationalError):
            client.execute(LOCK_AND_WRITE, ("x",))
    assert value(written, WRITTEN) == executions + remains


@pytest.mark.parametrize(
    ("fault", "remains"), [(Fault.CUT_BEFORE_COMMIT, 0), (Fault.CUT_AFTER_COMMIT, 1)]
)
def test_an_explicit_commit_can_be_cut_too(
    proxy: Proxy, written: str, fault: Fault, remains: int
) -> None:
    client = psycopg.connect(proxy.dsn)
    client.execute(LOCK_AND_WRITE, ("x",))
    proxy.arm(fault, COMMIT)
    with pytest.raises(psycopg.OperationalError):
        client.commit()
    client.close()
    assert value(written, WRITTEN) == remains


def test_a_late_delivery_is_carried_out_after_its_client_has_gone(
    proxy: Proxy, written: str
) -> None:
    client = psycopg.connect(proxy.dsn, autocommit=True)
    proxy.arm(Fault.DELIVER_LATE, APPEND)
    client.pgconn.send_query_params(b"SELECT append_events_v1('x')", None)
    client.pgconn.flush()
    assert proxy.acted.wait(5)
    client.close()
    assert value(written, WRITTEN) == 0
    proxy.released.set()
    until(lambda: value(written, WRITTEN) == 1)


def test_a_fault_strikes_once(proxy: Proxy, written: str) -> None:
    proxy.arm(Fault.DROP)
    client = psycopg.connect(proxy.dsn, autocommit=True)
    with pytest.raises(psycopg.OperationalError):
        client.execute(LOCK_AND_WRITE, ("x",))
    client.close()
    with psycopg.connect(proxy.dsn, autocommit=True) as another:
        another.execute(LOCK_AND_WRITE, ("x",))
    assert value(written, WRITTEN) == 1
