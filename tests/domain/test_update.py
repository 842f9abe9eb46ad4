"""UpdateWorkflow: full replacement, and what it does to build, generation and failures."""

import pytest

from domain.commands import UpdateWorkflow
from domain.errors import WorkflowNotFound
from domain.events import FAILURE_THRESHOLD, Terminated
from tests.support.given import (
    HTTP,
    ID,
    LATER,
    NOW,
    OTHER_HTTP,
    OTHER_USER,
    OWNER,
    build_status,
    built,
    created,
    deleted,
    failed,
    fields_refused,
    given,
    increment,
    reset,
    terminated,
    update,
    updated,
    workflow,
)


def test_updating_replaces_name_payload_interval_and_maximum() -> None:
    asked = update(
        name="hourly", payload=OTHER_HTTP, interval=60, max_consecutive_job_failures_allowed=9
    )
    assert given(created()).when(asked) == [
        updated(
            name="hourly",
            payload=OTHER_HTTP,
            interval=60,
            max_failures=9,
            generation=2,
            at=LATER,
        )
    ]


def test_an_updated_workflow_is_what_the_update_says() -> None:
    change = updated(
        name="hourly",
        payload=OTHER_HTTP,
        interval=60,
        max_failures=9,
        build_status="success",
        generation=2,
        at=LATER,
    )
    after = workflow(created(), failed(1), change)
    assert (after.name, after.payload, after.interval) == ("hourly", OTHER_HTTP, 60)
    assert (after.max_failures, after.build_status, after.generation) == (9, "success", 2)
    assert (after.failures, after.created_at, after.updated_at) == (0, NOW, LATER)
    assert (after.user_id, after.kind, after.log_retention) == (OWNER, "http", True)


def test_updating_to_what_already_is_records_nothing() -> None:
    assert given(created()).when(update()) == []


def test_updating_twice_records_once() -> None:
    history = created(), updated(name="hourly")
    assert given(*history).when(update(name="hourly")) == []


def test_an_otherwise_empty_update_still_clears_failures() -> None:
    assert given(created(), failed(1)).when(update()) == [updated(at=LATER)]


def test_after_a_reset_an_empty_update_records_nothing_again() -> None:
    assert given(created(), failed(1), reset()).when(update()) == []


@pytest.mark.parametrize("status", ["building", "success", "failed", "canceled"])
def test_a_changed_payload_sets_the_build_back_to_pending(status: str) -> None:
    history = created(), built(status)
    assert given(*history).when(update(payload=OTHER_HTTP)) == [
        updated(payload=OTHER_HTTP, build_status="pending", generation=2, at=LATER)
    ]


@pytest.mark.parametrize("status", ["building", "success", "failed", "canceled"])
def test_a_changed_interval_leaves_the_build_as_it_is(status: str) -> None:
    history = created(), built(status)
    assert given(*history).when(update(interval=6)) == [
        updated(interval=6, build_status=status, generation=2, at=LATER)
    ]


def test_changed_payload_and_interval_add_one_generation_together() -> None:
    assert given(created()).when(update(payload=OTHER_HTTP, interval=6)) == [
        updated(payload=OTHER_HTTP, interval=6, generation=2, at=LATER)
    ]


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [
        (update(name="hourly"), updated(name="hourly", at=LATER)),
        (update(max_consecutive_job_failures_allowed=4), updated(max_failures=4, at=LATER)),
    ],
    ids=["name", "maximum"],
)
def test_a_changed_name_or_maximum_keeps_the_generation(
    asked: UpdateWorkflow, recorded: object
) -> None:
    assert given(created()).when(asked) == [recorded]


def test_the_generation_grows_from_the_current_one() -> None:
    history = created(), updated(interval=6, generation=2), updated(interval=7, generation=3)
    assert given(*history).when(update(interval=8)) == [updated(interval=8, generation=4, at=LATER)]


def test_a_payload_that_differs_in_a_space_alone_is_a_changed_payload() -> None:
    spaced = HTTP + " "
    assert given(created()).when(update(payload=spaced)) == [
        updated(payload=spaced, generation=2, at=LATER)
    ]


def test_a_lower_maximum_does_not_end_a_workflow_that_had_more_failures() -> None:
    history = created(), failed(1), failed(2)
    assert given(*history).when(update(max_consecutive_job_failures_allowed=1)) == [
        updated(max_failures=1, at=LATER)
    ]


def test_a_new_payload_must_fit_the_kind_that_the_workflow_was_created_with() -> None:
    history = given(created(kind="docker", payload='{"image": "alpine"}'))
    assert fields_refused(lambda: history.when(update(payload=HTTP))) == ["payload"]


def test_a_workflow_of_a_kind_that_is_not_known_any_more_keeps_its_payload() -> None:
    history = given(created(kind="cron"))
    assert fields_refused(lambda: history.when(update(payload=OTHER_HTTP))) == ["payload"]
    assert history.when(update(interval=60)) == [updated(interval=60, generation=2, at=LATER)]


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("id", ""),
        ("user_id", ""),
        ("name", ""),
        ("payload", "[]"),
        ("interval", 0),
        ("max_consecutive_job_failures_allowed", 101),
        ("idempotency_key", "x" * 256),
    ],
)
def test_a_field_outside_its_bounds_is_named(field: str, bad: str | int) -> None:
    assert fields_refused(lambda: update(**{field: bad})) == [field]


def test_all_bad_fields_of_one_request_are_named_together() -> None:
    assert fields_refused(lambda: update(name="", payload="{", interval=-1)) == [
        "name",
        "payload",
        "interval",
    ]


def test_updating_what_never_was_is_not_found() -> None:
    with pytest.raises(WorkflowNotFound) as refusal:
        given().when(update())
    assert refusal.value.workflow_id == ID


def test_updating_what_is_deleted_is_not_found() -> None:
    with pytest.raises(WorkflowNotFound):
        given(created(), deleted()).when(update(name="hourly"))


def test_updating_another_users_workflow_is_not_found() -> None:
    with pytest.raises(WorkflowNotFound):
        given(created()).when(update(user_id=OTHER_USER, name="hourly"))


@pytest.mark.parametrize("ended", [terminated(), terminated(FAILURE_THRESHOLD, "job")])
def test_an_update_makes_a_terminated_workflow_active_again(ended: Terminated) -> None:
    history = created(), built("success"), failed(2), ended
    [revival] = given(*history).when(update(name="hourly"))
    assert revival == updated(name="hourly", build_status="pending", generation=2, at=LATER)
    after = workflow(*history, revival)
    assert (after.terminated_at, after.failures, after.updated_at) == (None, 0, LATER)


def test_a_revival_is_recorded_even_if_no_field_differs() -> None:
    assert given(created(), terminated()).when(update()) == [updated(generation=2, at=LATER)]


def test_a_revival_with_a_new_payload_adds_one_generation() -> None:
    assert given(created(), terminated()).when(update(payload=OTHER_HTTP, interval=6)) == [
        updated(payload=OTHER_HTTP, interval=6, generation=2, at=LATER)
    ]


def test_a_revived_workflow_is_built_counted_and_ended_as_a_new_one() -> None:
    history = created(max_failures=1), failed(1), terminated(FAILURE_THRESHOLD)
    revived = *history, updated(max_failures=1, generation=2)
    assert given(*revived).when(build_status("building", generation=2)) == [
        built("building", 2, at=LATER)
    ]
    assert given(*revived).when(increment()) == [
        failed(1, at=LATER),
        terminated(FAILURE_THRESHOLD, at=LATER),
    ]


def test_another_user_does_not_learn_that_a_workflow_is_terminated() -> None:
    with pytest.raises(WorkflowNotFound):
        given(created(), terminated()).when(update(user_id=OTHER_USER))
