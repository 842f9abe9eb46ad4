"""Commands with a key happen once: retries, twins and redelivered jobs."""

import pytest

from application.draft import Done
from application.handler import CommandHandler
from domain.commands import Command
from domain.errors import (
    IdempotencyKeyReused,
    WorkflowNotFound,
    WorkflowTerminated,
)
from tests.application.conftest import THIRD_ID, handle
from tests.support.given import (
    ANYBODY,
    ID,
    LATER,
    OTHER_ID,
    OTHER_USER,
    OWNER,
    create,
    created,
    delete,
    failed,
    increment,
    terminate,
    terminated,
    update,
)
from tests.support.memory import MemoryEventStore
from tests.support.stores import DIGESTS


def test_the_same_key_gives_the_same_workflow(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    (first,) = handle(handler, create(idempotency_key="key"))
    (again,) = handle(handler, create(id=OTHER_ID, now=LATER, idempotency_key="key"))
    assert first == Done(ID, version=1, position=1, threshold_reached=False)
    assert again == Done(ID, version=1, position=1, threshold_reached=False, replayed=True)
    assert len(memory.feed) == 1


def test_a_twin_in_the_same_batch_is_answered_from_the_ledger(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    twins = [create(id=i, idempotency_key="key") for i in (ID, OTHER_ID, THIRD_ID)]
    done = Done(ID, version=1, position=1, threshold_reached=False)
    repeated = Done(ID, version=1, position=1, threshold_reached=False, replayed=True)
    assert handle(handler, *twins) == [done, repeated, repeated]
    assert len(memory.feed) == 1


def test_the_twin_of_a_refused_command_is_decided_itself(handler: CommandHandler) -> None:
    outcomes = handle(
        handler, update(idempotency_key="key"), create(), update(idempotency_key="key")
    )
    assert [type(outcome) for outcome in outcomes] == [WorkflowNotFound, Done, Done]


@pytest.mark.parametrize(
    "other",
    [
        create(id=OTHER_ID, idempotency_key="key", name="other"),
        create(id=OTHER_ID, idempotency_key="key", payload='{"url": "http://h"}'),
        create(id=OTHER_ID, idempotency_key="key", kind="script"),
        create(id=OTHER_ID, idempotency_key="key", interval=6),
        create(id=OTHER_ID, idempotency_key="key", max_consecutive_job_failures_allowed=4),
        create(id=OTHER_ID, idempotency_key="key", log_retention=False),
    ],
    ids=["name", "payload", "kind", "interval", "maximum", "log retention"],
)
@pytest.mark.parametrize("together", [True, False])
def test_the_same_key_with_another_request_is_refused(
    handler: CommandHandler, memory: MemoryEventStore, other: Command, together: bool
) -> None:
    first = create(idempotency_key="key")
    if together:
        _, outcome = handle(handler, first, other)
    else:
        _, (outcome,) = handle(handler, first), handle(handler, other)
    assert isinstance(outcome, IdempotencyKeyReused)
    assert outcome.workflow_id == ID
    assert len(memory.feed) == 1


@pytest.mark.parametrize(
    "other",
    [
        create(id=OTHER_ID, idempotency_key="key", user_id=OTHER_USER),
        update(idempotency_key="key"),
        increment(job_id="key"),
    ],
    ids=["user", "method", "job"],
)
def test_a_key_belongs_to_its_user_and_method(handler: CommandHandler, other: Command) -> None:
    outcomes = handle(handler, create(idempotency_key="key"), other)
    assert [type(outcome) for outcome in outcomes] == [Done, Done]
    assert not any(isinstance(outcome, Done) and outcome.replayed for outcome in outcomes)


def test_a_keyed_update_that_changes_nothing_writes_its_key_alone(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    handle(handler, create(), create(id=OTHER_ID))
    (first,) = handle(handler, update(idempotency_key="key"))
    assert first == Done(ID, version=1, position=1, threshold_reached=False)
    assert set(memory.ledger) == {DIGESTS.key(update(idempotency_key="key"))}
    assert len(memory.feed) == 2


def test_a_keyed_update_does_not_happen_again_after_another_one(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    handle(handler, create())
    (first,) = handle(handler, update(name="hourly", idempotency_key="key"))
    handle(handler, update(name="weekly"))
    (again,) = handle(handler, update(name="hourly", idempotency_key="key"))
    assert first == Done(ID, version=2, position=2, threshold_reached=False)
    assert again == Done(ID, version=2, position=2, threshold_reached=False, replayed=True)
    assert len(memory.feed) == 3


def test_a_redelivered_job_is_counted_once_and_answered_as_before(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    handle(handler, create())
    (first,) = handle(handler, increment(job_id="job"))
    handle(handler, increment(), increment())
    (again,) = handle(handler, increment(job_id="job"))
    assert first == Done(ID, version=2, position=2, threshold_reached=False)
    assert again == Done(ID, version=2, position=2, threshold_reached=False, replayed=True)
    assert memory.history(ID)[1] == failed(1, "job", at=LATER)


def test_a_job_redelivered_after_the_termination_that_it_caused_is_answered_as_before(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    handle(handler, create(max_consecutive_job_failures_allowed=1))
    (first,) = handle(handler, increment(job_id="job"))
    (again,) = handle(handler, increment(job_id="job"))
    assert first == Done(ID, version=3, position=3, threshold_reached=True)
    assert again == Done(ID, version=3, position=3, threshold_reached=True, replayed=True)
    assert len(memory.feed) == 3


def test_another_job_after_the_termination_is_refused(handler: CommandHandler) -> None:
    handle(handler, create(), increment(job_id="job"), terminate())
    counted, other = handle(handler, increment(job_id="job"), increment(job_id="other"))
    assert isinstance(counted, Done)
    assert isinstance(other, WorkflowTerminated)


def test_a_job_counted_before_a_revival_is_not_counted_again(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    once = {"max_consecutive_job_failures_allowed": 1}
    handle(handler, create(**once))
    handle(handler, increment(job_id="job"))
    handle(handler, update(**once))
    again, other = handle(handler, increment(job_id="job"), increment(job_id="other"))
    assert again == Done(ID, version=3, position=3, threshold_reached=True, replayed=True)
    assert other == Done(ID, version=6, position=6, threshold_reached=True)


def test_a_repeated_update_key_does_not_revive_a_second_time(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    handle(handler, create(), terminate())
    (first,) = handle(handler, update(idempotency_key="mend"))
    handle(handler, terminate())
    (again,) = handle(handler, update(idempotency_key="mend"))
    assert first == Done(ID, version=3, position=3, threshold_reached=False)
    assert again == Done(ID, version=3, position=3, threshold_reached=False, replayed=True)
    assert memory.history(ID)[-1] == terminated(at=LATER)


@pytest.mark.parametrize("user_id", [OWNER, ANYBODY])
def test_a_job_redelivered_after_a_deletion_is_answered_as_before(
    handler: CommandHandler, user_id: str
) -> None:
    handle(handler, create(), increment(job_id="job"), delete())
    (again,) = handle(handler, increment(job_id="job", user_id=user_id))
    assert again == Done(ID, version=2, position=2, threshold_reached=False, replayed=True)


def test_a_job_redelivered_under_another_user_is_not_found(handler: CommandHandler) -> None:
    handle(handler, create(), increment(job_id="job"))
    (outcome,) = handle(handler, increment(job_id="job", user_id=OTHER_USER))
    assert isinstance(outcome, WorkflowNotFound)
    assert outcome.workflow_id == ID


def test_the_same_job_counts_for_each_workflow(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    handle(handler, create(), create(id=OTHER_ID))
    handle(handler, increment(job_id="job"), increment(job_id="job", id=OTHER_ID))
    assert memory.history(ID) == memory.history(OTHER_ID) == [created(), failed(1, "job", at=LATER)]


def test_without_a_job_every_failure_counts(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    handle(handler, create(), increment(), increment())
    assert memory.history(ID)[1:] == [failed(1, at=LATER), failed(2, at=LATER)]
    assert memory.ledger == {}


def test_another_user_cannot_use_up_the_owners_key(handler: CommandHandler) -> None:
    handle(handler, create())
    other, owner = handle(
        handler,
        update(user_id=OTHER_USER, idempotency_key="key"),
        update(name="hourly", idempotency_key="key"),
    )
    assert isinstance(other, WorkflowNotFound)
    assert isinstance(owner, Done)
    assert not owner.replayed
