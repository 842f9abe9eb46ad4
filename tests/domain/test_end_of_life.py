"""TerminateWorkflow and DeleteWorkflow: how a workflow ends, and that nothing follows."""

from collections.abc import Callable

import pytest

from domain.commands import Command
from domain.errors import WorkflowNotFound
from domain.events import EVENT_TYPES, FAILURE_THRESHOLD, Created, WorkflowEvent
from domain.workflow import evolve, visible
from tests.support.given import (
    ANYBODY,
    ID,
    LATER,
    NOW,
    OTHER_USER,
    OWNER,
    build_status,
    built,
    created,
    delete,
    deleted,
    failed,
    fields_refused,
    given,
    increment,
    reset,
    reset_failures,
    terminate,
    terminated,
    update,
    updated,
    workflow,
)

Asked = Callable[..., Command]
ENDINGS = pytest.mark.parametrize("asked", [terminate, delete])
EVERY_LATER_EVENT = [updated(), built("success"), failed(1), reset(), terminated(), deleted()]


def test_terminating_ends_the_active_life_on_request() -> None:
    assert given(created()).when(terminate()) == [terminated("requested", at=LATER)]


def test_a_terminated_workflow_knows_when_it_ended() -> None:
    after = workflow(created(), terminated(at=LATER))
    assert (after.terminated_at, after.updated_at, after.created_at) == (LATER, LATER, NOW)


def test_a_deleted_workflow_knows_when_it_was_deleted() -> None:
    after = workflow(created(), deleted(at=LATER))
    assert (after.deleted_at, after.updated_at, after.created_at) == (LATER, LATER, NOW)


@pytest.mark.parametrize("reason", ["requested", "failure_threshold"])
def test_terminating_again_records_nothing(reason: str) -> None:
    assert given(created(), terminated(reason)).when(terminate()) == []


def test_terminating_keeps_the_failures_that_led_there() -> None:
    assert workflow(created(), failed(3), terminated(FAILURE_THRESHOLD)).failures == 3


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([created()], id="new"),
        pytest.param([created(), built("building"), failed(2)], id="active"),
        pytest.param([created(), terminated()], id="terminated"),
        pytest.param([created(), failed(3), terminated(FAILURE_THRESHOLD)], id="failed"),
    ],
)
def test_deleting_is_possible_from_any_state(history: list[WorkflowEvent]) -> None:
    assert given(*history).when(delete()) == [deleted(at=LATER)]


def test_a_deleted_workflow_keeps_what_it_was() -> None:
    after = workflow(created(), terminated(), deleted(at=LATER))
    assert (after.name, after.terminated_at, after.deleted_at) == ("nightly", NOW, LATER)


@ENDINGS
def test_what_never_was_is_not_found(asked: Asked) -> None:
    with pytest.raises(WorkflowNotFound) as refusal:
        given().when(asked())
    assert refusal.value.workflow_id == ID


@ENDINGS
def test_another_users_workflow_is_not_found(asked: Asked) -> None:
    with pytest.raises(WorkflowNotFound) as refusal:
        given(created()).when(asked(user_id=OTHER_USER))
    assert refusal.value.workflow_id == ID


@ENDINGS
def test_another_users_terminated_workflow_is_not_found(asked: Asked) -> None:
    with pytest.raises(WorkflowNotFound):
        given(created(), terminated()).when(asked(user_id=OTHER_USER))


@ENDINGS
def test_all_bad_fields_of_one_request_are_named_together(asked: Asked) -> None:
    assert fields_refused(lambda: asked(id="?", user_id=ANYBODY)) == ["id", "user_id"]


@pytest.mark.parametrize(
    "command",
    [
        update(),
        update(name="hourly"),
        build_status("success", user_id=ANYBODY),
        increment(user_id=ANYBODY),
        reset_failures(user_id=ANYBODY),
        terminate(),
        delete(),
    ],
)
@pytest.mark.parametrize("history", [[created()], [created(), terminated()]])
def test_after_deletion_everything_is_not_found(
    history: list[WorkflowEvent], command: Command
) -> None:
    with pytest.raises(WorkflowNotFound) as refusal:
        given(*history, deleted()).when(command)
    assert refusal.value.workflow_id == ID


def test_these_are_all_the_events_that_can_come_later() -> None:
    assert {type(event) for event in EVERY_LATER_EVENT} == set(EVENT_TYPES) - {Created}


@pytest.mark.parametrize("event", EVERY_LATER_EVENT)
def test_a_history_that_goes_on_after_deletion_is_no_history(event: WorkflowEvent) -> None:
    with pytest.raises(ValueError, match=event.stored_name):
        evolve(workflow(created(), deleted()), event)


@pytest.mark.parametrize("event", EVERY_LATER_EVENT)
def test_a_history_that_starts_without_creation_is_no_history(event: WorkflowEvent) -> None:
    with pytest.raises(ValueError, match=event.stored_name):
        evolve(None, event)


@pytest.mark.parametrize("user_id", [OWNER, ANYBODY])
@pytest.mark.parametrize("history", [[created()], [created(), terminated()]])
def test_a_workflow_is_visible_to_its_owner_and_to_services(
    history: list[WorkflowEvent], user_id: str
) -> None:
    assert visible(workflow(*history), ID, user_id) == workflow(*history)


@pytest.mark.parametrize("user_id", [OWNER, ANYBODY, OTHER_USER])
def test_a_deleted_workflow_is_visible_to_nobody(user_id: str) -> None:
    with pytest.raises(WorkflowNotFound):
        visible(workflow(created(), deleted()), ID, user_id)
