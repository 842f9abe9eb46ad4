"""Increment and reset of the consecutive failures, and the end at their maximum."""

from collections.abc import Callable

import pytest

from domain.commands import Command
from domain.errors import WorkflowNotFound, WorkflowTerminated
from domain.events import FAILURE_THRESHOLD, WorkflowEvent
from tests.support.given import (
    ANYBODY,
    ID,
    LATER,
    NOW,
    OTHER_USER,
    created,
    deleted,
    failed,
    fields_refused,
    given,
    increment,
    reset,
    reset_failures,
    terminated,
    updated,
    workflow,
)


def test_a_failed_job_is_counted() -> None:
    assert given(created()).when(increment(job_id="job")) == [failed(1, "job", at=LATER)]


def test_a_failure_without_a_job_is_counted_too() -> None:
    assert given(created(), failed(1)).when(increment()) == [failed(2, at=LATER)]


def test_counted_failures_are_the_workflows_failures() -> None:
    after = workflow(created(), failed(1), failed(2, at=LATER))
    assert (after.failures, after.updated_at, after.threshold_reached) == (2, LATER, False)


def test_at_the_maximum_the_workflow_is_terminated() -> None:
    history = created(max_failures=2), failed(1, "first")
    assert given(*history).when(increment(job_id="second")) == [
        failed(2, "second", at=LATER),
        terminated("failure_threshold", "second", at=LATER),
    ]


def test_a_maximum_of_1_ends_with_the_first_failure() -> None:
    assert given(created(max_failures=1)).when(increment()) == [
        failed(1, at=LATER),
        terminated(FAILURE_THRESHOLD, at=LATER),
    ]


def test_without_termination_the_count_passes_the_maximum() -> None:
    history = created(max_failures=1), failed(1)
    assert given(*history).when(increment(terminate_at_threshold=False)) == [failed(2, at=LATER)]


def test_if_the_maximum_was_passed_the_next_terminating_failure_ends_it() -> None:
    history = created(max_failures=1), failed(1), failed(2)
    assert given(*history).when(increment()) == [
        failed(3, at=LATER),
        terminated(FAILURE_THRESHOLD, at=LATER),
    ]


@pytest.mark.parametrize(("failures", "reached"), [(2, False), (3, True), (4, True)])
def test_the_threshold_is_reached_at_the_maximum(failures: int, reached: bool) -> None:
    assert workflow(created(max_failures=3), failed(failures)).threshold_reached is reached


@pytest.mark.parametrize("cleared_by", [reset(), updated()], ids=["reset", "update"])
def test_counting_starts_again_after_the_count_was_cleared(cleared_by: WorkflowEvent) -> None:
    history = created(), failed(1), failed(2), cleared_by
    assert given(*history).when(increment()) == [failed(1, at=LATER)]


def test_resetting_sets_the_count_back() -> None:
    assert given(created(), failed(1)).when(reset_failures()) == [reset(at=LATER)]


def test_a_reset_workflow_has_no_failures() -> None:
    after = workflow(created(), failed(1), reset(at=LATER))
    assert (after.failures, after.updated_at) == (0, LATER)


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([created()], id="never failed"),
        pytest.param([created(), failed(1), reset()], id="reset before"),
        pytest.param([created(), failed(1), updated()], id="cleared by an update"),
    ],
)
def test_resetting_at_0_records_nothing(history: list[WorkflowEvent]) -> None:
    assert given(*history).when(reset_failures()) == []


def test_an_empty_owner_may_increment() -> None:
    assert given(created()).when(increment(user_id=ANYBODY)) == [failed(1, at=LATER)]


def test_an_empty_owner_may_reset() -> None:
    history = created(), failed(1)
    assert given(*history).when(reset_failures(user_id=ANYBODY)) == [reset(at=LATER)]


Asked = Callable[..., Command]
COMMANDS = pytest.mark.parametrize("asked", [increment, reset_failures])


@COMMANDS
def test_another_owner_is_not_found(asked: Asked) -> None:
    with pytest.raises(WorkflowNotFound) as refusal:
        given(created()).when(asked(user_id=OTHER_USER))
    assert refusal.value.workflow_id == ID


@COMMANDS
def test_what_never_was_is_not_found(asked: Asked) -> None:
    with pytest.raises(WorkflowNotFound):
        given().when(asked(user_id=ANYBODY))


@COMMANDS
def test_what_is_deleted_is_not_found(asked: Asked) -> None:
    with pytest.raises(WorkflowNotFound):
        given(created(), failed(1), deleted()).when(asked(user_id=ANYBODY))


@COMMANDS
@pytest.mark.parametrize("failures", [[], [failed(1)]], ids=["unfailed", "failed"])
def test_a_terminated_workflow_fails_and_resets_no_more(
    asked: Asked, failures: list[WorkflowEvent]
) -> None:
    with pytest.raises(WorkflowTerminated) as refusal:
        given(created(), *failures, terminated()).when(asked())
    assert (refusal.value.workflow_id, refusal.value.terminated_at) == (ID, NOW)


@pytest.mark.parametrize("job_id", ["x" * 256, "a\x00", "a\x7f", "a\x9f", "\n"])
def test_a_job_outside_its_bounds_is_named(job_id: str) -> None:
    assert fields_refused(lambda: increment(job_id=job_id)) == ["job_id"]


def test_a_job_of_255_characters_is_counted() -> None:
    job_id = "é" * 255
    assert given(created()).when(increment(job_id=job_id)) == [failed(1, job_id, at=LATER)]


def test_all_bad_fields_of_an_increment_are_named_together() -> None:
    bad = "x" * 256
    assert fields_refused(lambda: increment(id="?", user_id=bad, job_id=bad)) == [
        "id",
        "user_id",
        "job_id",
    ]


def test_all_bad_fields_of_a_reset_are_named_together() -> None:
    assert fields_refused(lambda: reset_failures(id="?", user_id="\n")) == ["id", "user_id"]
