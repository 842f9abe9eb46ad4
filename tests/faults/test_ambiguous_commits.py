"""An append whose acknowledgement is lost happened or not; either way its commands happen once."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import pytest

from application.draft import Done
from application.ports import OutcomeUnknown, StoreUnavailable
from domain.commands import Command
from infrastructure.eventstore import store
from tests.faults.proxy import SETTLEMENT, Fault, Proxy
from tests.faults.writers import writer
from tests.support.database import value
from tests.support.given import ID, OTHER_ID, create, increment, update
from tests.support.records import assert_consistent, events_of
from tests.support.waiting import until

THIRD_ID = "0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e71"
PREPARES_AFTER = 6  # executions until psycopg sends a statement by name, without its text


@dataclass(frozen=True)
class Case:
    """Commands, and the histories and ledger entries that they leave when each happens once."""

    commands: Sequence[Command]
    histories: dict[str, Sequence[str]]
    keys: int


KEYS = "SELECT count(*) FROM command_ledger"
EVENTS = "SELECT count(*) FROM workflow_events"
CREATED = "created"
UPDATED = "updated"
FAILED = "failure_incremented"
CASES = {
    "create": Case([create(id=OTHER_ID)], {OTHER_ID: [CREATED]}, 0),
    "create with key": Case([create(id=OTHER_ID, idempotency_key="k")], {OTHER_ID: [CREATED]}, 1),
    "update with key": Case(
        [update(name="other", idempotency_key="k")], {ID: [CREATED, UPDATED]}, 1
    ),
    "update with key that changes nothing": Case([update(idempotency_key="k")], {ID: [CREATED]}, 1),
    "increment": Case([increment()], {ID: [CREATED, FAILED]}, 0),
    "increment with job": Case([increment(job_id="j")], {ID: [CREATED, FAILED]}, 1),
    "several": Case(
        [
            increment(),
            create(id=OTHER_ID),
            increment(job_id="j"),
            update(id=OTHER_ID, idempotency_key="k"),
            create(id=THIRD_ID, idempotency_key="k"),
            increment(id=OTHER_ID, job_id="j"),
        ],
        {ID: [CREATED, FAILED, FAILED], OTHER_ID: [CREATED, FAILED], THIRD_ID: [CREATED]},
        4,
    ),
}


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    """A proxy in front of a database that holds the example workflow."""
    with writer(database) as direct:
        direct.done(create())
    with closing(Proxy(database)) as proxy:
        yield proxy


def assert_happened_once(database: str, case: Case) -> None:
    """The database holds what the case says, and nothing twice."""
    assert {i: events_of(database, i) for i in case.histories} == case.histories
    assert value(database, KEYS) == case.keys
    assert_consistent(database)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize(
    "fault", [Fault.DROP, Fault.CUT_BEFORE_COMMIT, Fault.CUT_AFTER_COMMIT], ids=lambda f: f.name
)
def test_a_command_happens_once_and_its_caller_learns_it(
    proxy: Proxy, database: str, fault: Fault, case: Case
) -> None:
    with writer(proxy.dsn) as cut_off, writer(database) as direct:
        proxy.arm(fault)
        outcomes = cut_off.done(*case.commands)
        assert proxy.acted.is_set()
        assert_happened_once(database, case)
        for command, outcome in zip(case.commands, outcomes, strict=True):
            if _key(command):
                (repeated,) = direct.done(command)
                assert repeated.replayed
                assert repeated.version == outcome.version
        assert_happened_once(database, case)


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE_COMMIT, Fault.CUT_AFTER_COMMIT])
def test_a_prepared_append_is_settled_like_a_first_one(
    proxy: Proxy, database: str, fault: Fault
) -> None:
    with writer(proxy.dsn) as cut_off:
        cut_off.done(create(id=OTHER_ID, max_consecutive_job_failures_allowed=100))
        for _ in range(PREPARES_AFTER):
            cut_off.done(increment(id=OTHER_ID))
        proxy.arm(fault)
        (outcome,) = cut_off.done(increment(id=OTHER_ID))
    assert proxy.acted.is_set()
    assert events_of(database, OTHER_ID) == [CREATED] + [FAILED] * (PREPARES_AFTER + 1)
    assert (outcome.version, outcome.position) == (8, 9)
    assert_consistent(database)


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE_COMMIT, Fault.CUT_AFTER_COMMIT])
@pytest.mark.parametrize("name", ["update with key", "increment with job", "create with key"])
def test_a_key_settles_the_retry_of_an_outcome_that_stays_unknown(
    proxy: Proxy, database: str, fault: Fault, name: str
) -> None:
    case = CASES[name]
    with writer(proxy.dsn) as cut_off:
        proxy.arm(fault)
        proxy.arm(Fault.DROP, SETTLEMENT)
        proxy.arm(Fault.DROP, SETTLEMENT)
        (unknown,) = cut_off.write(*case.commands)
        assert isinstance(unknown, OutcomeUnknown)
        (retried,) = cut_off.done(*case.commands)
    assert retried.replayed == (fault is Fault.CUT_AFTER_COMMIT)
    assert_happened_once(database, case)


def test_a_database_that_refuses_connections_takes_nothing_and_is_found_again(
    proxy: Proxy, database: str
) -> None:
    case = CASES["several"]
    with writer(proxy.dsn) as cut_off:
        cut_off.done(increment(), create(id=OTHER_ID, idempotency_key="other"))
        proxy.refuse()
        outcomes = cut_off.write(*case.commands)
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
        assert value(database, EVENTS) == 3
        proxy.come_back()
        until(lambda: isinstance(cut_off.write(increment())[0], Done))
    assert events_of(database, ID) == [CREATED, FAILED, FAILED]
    assert_consistent(database)


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE_COMMIT, Fault.CUT_AFTER_COMMIT])
def test_the_question_what_became_of_it_is_asked_again_when_it_is_cut_off_too(
    proxy: Proxy, database: str, fault: Fault
) -> None:
    case = CASES["several"]
    with writer(proxy.dsn) as cut_off:
        proxy.arm(fault)
        proxy.arm(Fault.DROP, SETTLEMENT)
        cut_off.done(*case.commands)
    assert_happened_once(database, case)


def test_a_store_that_does_not_ask_what_became_of_it_is_caught_counting_twice(
    proxy: Proxy, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "settle", lambda *_, **__: {})
    with writer(proxy.dsn) as forgetful:
        proxy.arm(Fault.CUT_AFTER_COMMIT)
        forgetful.done(*CASES["increment"].commands)
    with pytest.raises(AssertionError):
        assert_happened_once(database, CASES["increment"])


def _key(command: Command) -> str:
    return getattr(command, "idempotency_key", "") or getattr(command, "job_id", "")
