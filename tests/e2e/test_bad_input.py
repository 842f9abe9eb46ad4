"""Bad input is INVALID_ARGUMENT, names each bad field, and learns nothing of the inside."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from workflows_testing.requests import ABSENT, DOCKER

from tests.e2e.bad_values import (
    BAD_CURSORS,
    BAD_FIELDS,
    BAD_FILTERS,
    BAD_IDS,
    BAD_PAYLOADS,
    HUGE,
    LONG,
    LONGEST,
)
from tests.e2e.discretion import assert_discreet
from tests.support.client import Client, refused

BY_ID: dict[str, Callable[[Client, str, str], object]] = {
    "UpdateWorkflow": Client.update,
    "UpdateWorkflowBuildStatus": lambda client, workflow_id, user: client.build(
        workflow_id, "building", user
    ),
    "GetWorkflow": Client.get,
    "IncrementWorkflowConsecutiveJobFailuresCount": lambda client, workflow_id, user: (
        client.increment(workflow_id, "", user)
    ),
    "ResetWorkflowConsecutiveJobFailuresCount": Client.reset,
    "TerminateWorkflow": Client.terminate,
    "DeleteWorkflow": Client.delete,
}


@pytest.mark.parametrize("payload", BAD_PAYLOADS.values(), ids=BAD_PAYLOADS)
def test_a_bad_payload_is_named(client: Client, user: str, payload: str) -> None:
    assert named(lambda: client.create(user, payload=payload)) == ["payload"]


@pytest.mark.parametrize("payload", BAD_PAYLOADS.values(), ids=BAD_PAYLOADS)
def test_an_update_to_a_bad_payload_is_refused(client: Client, user: str, payload: str) -> None:
    workflow_id = client.created(user)
    assert named(lambda: client.update(workflow_id, user, payload=payload)) == ["payload"]


@pytest.mark.parametrize("payload", ["{}", '{"image": ""}', '{"image": " "}', '{"image": 1}'])
def test_a_docker_payload_without_image_is_named(client: Client, user: str, payload: str) -> None:
    assert named(lambda: client.create(user, kind="docker", payload=payload)) == ["payload"]


def test_an_update_keeps_to_the_rules_of_the_kind(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    assert named(lambda: client.update(workflow_id, user, payload=DOCKER)) == ["payload"]


@pytest.mark.parametrize("bad", BAD_FIELDS.values(), ids=BAD_FIELDS)
def test_a_bad_field_of_a_create_is_named(client: Client, user: str, bad: dict[str, Any]) -> None:
    assert named(lambda: client.create(user, **bad)) == [*bad]


@pytest.mark.parametrize(
    "bad", [pytest.param(bad, id=what) for what, bad in BAD_FIELDS.items() if "kind" not in bad]
)
def test_a_bad_field_of_an_update_is_named(client: Client, user: str, bad: dict[str, Any]) -> None:
    workflow_id = client.created(user)
    assert named(lambda: client.update(workflow_id, user, **bad)) == [*bad]


@pytest.mark.parametrize("workflow_id", BAD_IDS.values(), ids=BAD_IDS)
@pytest.mark.parametrize("method", BY_ID.values(), ids=BY_ID)
def test_an_id_that_is_no_uuid_is_named(
    client: Client, user: str, method: Callable[..., object], workflow_id: str
) -> None:
    assert named(lambda: method(client, workflow_id, user)) == ["id"]


@pytest.mark.parametrize(
    "method", ["UpdateWorkflow", "GetWorkflow", "TerminateWorkflow", "DeleteWorkflow"]
)
def test_a_public_method_needs_a_user(client: Client, method: str) -> None:
    assert named(lambda: BY_ID[method](client, ABSENT, "")) == ["user_id"]


@pytest.mark.parametrize("user_id", [LONG, "al\x00ice", HUGE], ids=["long", "control", "huge"])
@pytest.mark.parametrize("method", BY_ID)
def test_a_bad_user_is_named(client: Client, method: str, user_id: str) -> None:
    assert named(lambda: BY_ID[method](client, ABSENT, user_id)) == ["user_id"]


@pytest.mark.parametrize("workflow_id", BAD_IDS.values(), ids=BAD_IDS)
def test_an_id_that_is_no_uuid_is_named_without_a_user(client: Client, workflow_id: str) -> None:
    assert named(lambda: client.get_by_id(workflow_id)) == ["id"]


@pytest.mark.parametrize("status", ["", "done", "SUCCESS", HUGE], ids=lambda status: status[:8])
def test_an_unknown_build_status_is_named(client: Client, status: str) -> None:
    assert named(lambda: client.build(ABSENT, status)) == ["build_status"]


@pytest.mark.parametrize("generation", [-1, -(2**63)])
def test_a_negative_generation_is_named(client: Client, generation: int) -> None:
    assert named(lambda: client.build(ABSENT, "success", generation=generation)) == ["generation"]


@pytest.mark.parametrize("job_id", [LONG, "job\x00", HUGE], ids=["long", "control", "huge"])
def test_a_bad_job_is_named(client: Client, job_id: str) -> None:
    assert named(lambda: client.increment(ABSENT, job_id)) == ["job_id"]


@pytest.mark.parametrize(("name", "bad"), BAD_FILTERS, ids=lambda part: str(part)[:16])
def test_a_bad_filter_is_named(client: Client, user: str, name: str, bad: Any) -> None:
    assert named(lambda: client.page(user, **{name: bad})) == [f"filters.{name}"]


def test_an_empty_range_of_intervals_is_named(client: Client, user: str) -> None:
    assert named(lambda: client.page(user, interval_min=6, interval_max=5)) == [
        "filters.interval_max"
    ]


@pytest.mark.parametrize("user_id", ["", LONG, "al\x00ice"], ids=["empty", "long", "control"])
def test_a_list_needs_a_user(client: Client, user_id: str) -> None:
    assert named(lambda: client.page(user_id)) == ["user_id"]


@pytest.mark.parametrize("cursor", BAD_CURSORS.values(), ids=BAD_CURSORS)
def test_a_cursor_that_was_never_given_out_is_named(client: Client, user: str, cursor: str) -> None:
    assert named(lambda: client.page(user, cursor)) == ["cursor"]


def test_a_cursor_with_any_character_altered_is_named(paging: Client, user: str) -> None:
    cursor = _cursor(paging, user)
    for place in range(len(cursor)):
        other = "A" if cursor[place] != "A" else "B"
        altered = cursor[:place] + other + cursor[place + 1 :]
        assert named(lambda altered=altered: paging.page(user, altered)) == ["cursor"]  # type: ignore[misc] # a default binds the loop variable


@pytest.mark.parametrize("spelling", ["{}=", "{} ", " {}", "{}A", "{}\n"])
def test_a_cursor_spelled_otherwise_is_named(paging: Client, user: str, spelling: str) -> None:
    cursor = spelling.format(_cursor(paging, user))
    assert named(lambda: paging.page(user, cursor)) == ["cursor"]


def test_a_cursor_of_another_user_is_named(paging: Client, user: str, stranger: str) -> None:
    cursor = _cursor(paging, user)
    assert named(lambda: paging.page(stranger, cursor)) == ["cursor"]


def test_a_cursor_with_other_filters_is_named(paging: Client, user: str) -> None:
    cursor = _cursor(paging, user)
    assert named(lambda: paging.page(user, cursor, kind="http")) == ["cursor"]


def test_all_bad_fields_of_a_create_are_named_together(client: Client) -> None:
    bad = {
        "user_id": "",
        "name": "",
        "kind": "cron",
        "payload": "",
        "interval": 0,
        "max_consecutive_job_failures_allowed": 0,
        "idempotency_key": LONG,
    }
    assert named(lambda: client.create("", **bad)) == [*bad]


def test_all_bad_fields_of_an_update_are_named_together(client: Client) -> None:
    bad = {
        "id": "7",
        "user_id": "",
        "name": "",
        "payload": "",
        "interval": 0,
        "max_consecutive_job_failures_allowed": 0,
        "idempotency_key": LONG,
    }
    assert named(lambda: client.update("", "", **bad)) == [*bad]


def test_all_bad_fields_of_a_build_status_are_named_together(client: Client) -> None:
    named_fields = named(lambda: client.build("7", "done", LONG, -1))
    assert named_fields == ["id", "user_id", "build_status", "generation"]


def test_all_bad_fields_of_a_get_are_named_together(client: Client) -> None:
    assert named(lambda: client.get("7", "")) == ["id", "user_id"]


def test_all_bad_fields_of_a_list_are_named_together(client: Client) -> None:
    bad = named(lambda: client.page("", "guessed", kind="cron", interval_min=-1))
    assert bad == ["user_id", "filters.kind", "filters.interval_min", "cursor"]


def test_all_bad_filters_are_named_together(client: Client, user: str) -> None:
    wrong: dict[str, Any] = {
        "query": LONG,
        "kind": "cron",
        "build_status": "done",
        "interval_min": -1,
        "interval_max": -1,
    }
    assert named(lambda: client.page(user, **wrong)) == [f"filters.{name}" for name in wrong]


def test_the_longest_texts_are_accepted(client: Client) -> None:
    longest = {"name": "ä" * 255, "idempotency_key": LONGEST}
    workflow_id = client.created(LONGEST, **longest)
    client.increment(workflow_id, LONGEST, LONGEST)
    assert client.get(workflow_id, LONGEST).message.name == "ä" * 255


@pytest.mark.parametrize("interval", [1, 525_600])
@pytest.mark.parametrize("maximum", [1, 100])
def test_the_bounds_themselves_are_accepted(
    client: Client, user: str, interval: int, maximum: int
) -> None:
    asked = {"interval": interval, "max_consecutive_job_failures_allowed": maximum}
    found = client.get(client.created(user, **asked), user).message
    assert (found.interval, found.max_consecutive_job_failures_allowed) == (interval, maximum)


def named(call: Callable[[], object]) -> list[str]:
    """The fields that a call is refused for; every such refusal is of the same, discreet form."""
    refusal = refused(call)
    assert refusal.code == grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.reason == "INVALID_FIELDS"
    assert_discreet(refusal)
    return list(refusal.fields)


def _cursor(paging: Client, user: str) -> str:
    for _ in range(4):
        paging.create(user)
    return paging.page(user).cursor
