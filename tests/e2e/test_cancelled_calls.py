"""Calls that end before they are decided, because their clients cancel or their deadlines pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import psycopg
import pytest
from workflows_testing import requests

from tests.support.records import assert_consistent
from tests.support.service import Service
from tests.support.waiting import until

pytestmark = pytest.mark.both_wires


@contextmanager
def nothing_is_appended(dsn: str) -> Iterator[Callable[[], None]]:
    """Holds the append lock; yields what waits until a writer waits for it."""
    with psycopg.connect(dsn) as holder, psycopg.connect(dsn, autocommit=True) as observer:
        holder.execute("SELECT pg_advisory_xact_lock(5005201)")
        waiting = "SELECT FROM pg_locks WHERE objid = 5005201 AND NOT granted"
        yield lambda: until(lambda: observer.execute(waiting).fetchone() is not None)


def test_a_call_that_ends_while_it_waits_for_its_turn_is_never_decided(
    serve: Callable[..., Service], database: str
) -> None:
    client = serve().client
    create = client.stub.CreateWorkflow
    with nothing_is_appended(database) as a_writer_waits:
        first: Any = create.future(requests.create("ada", name="first"))
        a_writer_waits()
        cancelled: Any = create.future(requests.create("ada", name="cancelled"))
        late: Any = create.future(requests.create("ada", name="late"), timeout=0.3)
        assert late.exception().code() is grpc.StatusCode.DEADLINE_EXCEEDED
        cancelled.cancel()
        client.page("ada")  # Answered after the service has heard of the cancellation.
    first.result()
    client.create("ada", name="last")
    names = [workflow.name for workflow in client.page("ada").workflows]
    assert names == ["last", "first"]
    assert_consistent(database)
