"""UpdateWorkflowBuildStatus: any known status, guarded by a generation if one is given."""

import pytest

from domain.errors import StaleGeneration, WorkflowNotFound, WorkflowTerminated
from tests.support.given import (
    ANYBODY,
    CATALOGUE,
    ID,
    LATER,
    NOW,
    OTHER_USER,
    build_status,
    built,
    created,
    deleted,
    fields_refused,
    given,
    terminated,
    updated,
    workflow,
)

BUILD_STATUSES = CATALOGUE.build_statuses


@pytest.mark.parametrize("new", BUILD_STATUSES)
def test_any_status_can_follow_any_other(new: str) -> None:
    for old in set(BUILD_STATUSES) - {new}:
        assert given(created(), built(old)).when(build_status(new)) == [built(new, at=LATER)]


@pytest.mark.parametrize("status", BUILD_STATUSES)
def test_the_same_status_again_records_nothing(status: str) -> None:
    assert given(created(), built(status)).when(build_status(status)) == []


def test_a_changed_status_is_the_workflows_status() -> None:
    after = workflow(created(), built("success", at=LATER))
    assert (after.build_status, after.updated_at, after.generation) == ("success", LATER, 1)


def test_the_fact_names_the_generation_that_was_built() -> None:
    history = created(), updated(interval=6, generation=2)
    assert given(*history).when(build_status("success")) == [built("success", 2, at=LATER)]


def test_the_current_generation_passes_the_guard() -> None:
    history = created(), updated(interval=6, generation=2)
    assert given(*history).when(build_status("success", generation=2)) == [
        built("success", 2, at=LATER)
    ]


@pytest.mark.parametrize("given_generation", [1, 3, 2**63 - 1])
def test_another_generation_than_the_current_one_is_refused(given_generation: int) -> None:
    history = created(), updated(interval=6, generation=2)
    with pytest.raises(StaleGeneration) as refusal:
        given(*history).when(build_status("success", generation=given_generation))
    assert refusal.value.workflow_id == ID
    assert (refusal.value.given, refusal.value.current) == (given_generation, 2)


def test_a_stale_generation_is_refused_even_if_the_status_is_the_same() -> None:
    history = created(), updated(interval=6, generation=2)
    with pytest.raises(StaleGeneration):
        given(*history).when(build_status("pending", generation=1))


@pytest.mark.parametrize("status", ["", "SUCCESS", "cancelled", "pending ", "building\n"])
def test_an_unknown_status_is_refused(status: str) -> None:
    assert fields_refused(lambda: build_status(status)) == ["build_status"]


@pytest.mark.parametrize("generation", [-1, -(2**63), 2**63])
def test_a_generation_that_cannot_be_is_refused(generation: int) -> None:
    assert fields_refused(lambda: build_status("success", generation=generation)) == ["generation"]


def test_all_bad_fields_of_one_request_are_named_together() -> None:
    assert fields_refused(lambda: build_status("", id="", user_id="\n", generation=-1)) == [
        "id",
        "user_id",
        "build_status",
        "generation",
    ]


def test_an_empty_owner_is_any() -> None:
    assert given(created()).when(build_status("success", user_id=ANYBODY)) == [
        built("success", at=LATER)
    ]


def test_another_owner_is_not_found() -> None:
    with pytest.raises(WorkflowNotFound) as refusal:
        given(created()).when(build_status("success", user_id=OTHER_USER))
    assert refusal.value.workflow_id == ID


def test_what_never_was_is_not_found() -> None:
    with pytest.raises(WorkflowNotFound):
        given().when(build_status("success", user_id=ANYBODY))


def test_what_is_deleted_is_not_found() -> None:
    with pytest.raises(WorkflowNotFound):
        given(created(), deleted()).when(build_status("success", user_id=ANYBODY))


@pytest.mark.parametrize("status", ["pending", "success"])
@pytest.mark.parametrize("generation", [0, 1, 7])
def test_a_terminated_workflow_is_built_no_more(status: str, generation: int) -> None:
    with pytest.raises(WorkflowTerminated) as refusal:
        given(created(), terminated()).when(build_status(status, generation=generation))
    assert (refusal.value.workflow_id, refusal.value.terminated_at) == (ID, NOW)
