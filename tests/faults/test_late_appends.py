"""An append that arrives after it was settled as not recorded records nothing, then or later."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import pytest

from application.ports import OutcomeUnknown, StoreUnavailable
from domain.commands import Command
from tests.faults.proxy import Fault, Proxy
from tests.faults.read_only import turn_read_only, turn_writable
from tests.faults.writers import writer
from tests.support.database import execute, value
from tests.support.given import ID, OTHER_ID, create, increment, update
from tests.support.records import assert_consistent, events_of

KEYS = "SELECT count(*) FROM command_ledger"
EVENTS = "SELECT count(*) FROM workflow_events"
FENCES = "SELECT count(*) FROM append_fences"
NEW_EPOCH = "UPDATE feed_epoch SET epoch = epoch + 1"


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    """A proxy in front of a database that holds the example workflow."""
    with writer(database) as direct:
        direct.done(create())
    with closing(Proxy(database)) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("command", "history"),
    [
        pytest.param(create(id=OTHER_ID), [], id="create without key"),
        pytest.param(update(idempotency_key="k"), [], id="key alone"),
    ],
)
def test_an_append_that_is_delivered_late_records_nothing_and_a_retry_once(
    proxy: Proxy, database: str, command: Command, history: Sequence[str]
) -> None:
    with writer(proxy.dsn) as cut_off:
        proxy.arm(Fault.DELIVER_LATE)
        (refused,) = cut_off.write(command)
        assert isinstance(refused, StoreUnavailable)
        proxy.released.set()
        assert proxy.answered.wait(5)
        assert (value(database, EVENTS), value(database, KEYS), value(database, FENCES)) == (
            1,
            0,
            1,
        )
        cut_off.done(command)
    assert events_of(database, ID) == ["created", *history]
    assert_consistent(database)


@pytest.mark.parametrize(
    "obstacle",
    [
        pytest.param(lambda database: execute(database, NEW_EPOCH), id="another epoch"),
        pytest.param(turn_read_only, id="standby"),
    ],
)
def test_an_append_that_cannot_be_settled_for_sure_has_an_unknown_outcome(
    proxy: Proxy, database: str, obstacle: Callable[[str], object]
) -> None:
    with writer(proxy.dsn) as cut_off:
        cut_off.done(increment())
        proxy.meanwhile = lambda: obstacle(database)
        proxy.arm(Fault.CUT_BEFORE_COMMIT)
        try:
            (outcome,) = cut_off.write(increment())
        finally:
            turn_writable(database)
    assert isinstance(outcome, OutcomeUnknown)
    assert events_of(database, ID) == ["created", "failure_incremented"]


def test_old_fences_are_swept(proxy: Proxy, database: str) -> None:
    execute(
        database,
        "INSERT INTO append_fences SELECT gen_random_uuid(), now() - interval '25 hours'"
        " FROM generate_series(1, 3)",
    )
    with writer(proxy.dsn) as cut_off:
        proxy.arm(Fault.DROP)
        cut_off.done(increment())
    assert value(database, FENCES) == 1
