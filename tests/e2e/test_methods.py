"""What each of the ten methods does, as its caller and other readers see it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from workflows import workflows_pb2 as pb
from workflows_testing.requests import HTTP, OTHER_HTTP

from tests.support.client import Client, refused
from tests.support.records import events_of
from tests.support.service import Service

pytestmark = pytest.mark.both_wires

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")


def test_a_created_workflow_is_as_asked_and_pending(client: Client, user: str) -> None:
    workflow_id = client.created(user, name="Über 🚀", log_retention=True)
    found = client.get(workflow_id, user).message
    assert found == pb.GetWorkflowResponse(
        id=workflow_id,
        name="Über 🚀",
        payload=HTTP,
        kind="http",
        build_status="pending",
        interval=5,
        consecutive_job_failures_count=0,
        max_consecutive_job_failures_allowed=3,
        created_at=found.created_at,
        updated_at=found.created_at,
        terminated_at="",
        log_retention=True,
        generation=1,
    )


@pytest.mark.parametrize("kind", ["http", "script", "docker"])
def test_every_kind_can_be_created(client: Client, user: str, kind: str) -> None:
    assert client.get(client.created(user, kind=kind), user).message.kind == kind


@pytest.mark.parametrize(("asked", "kept"), [({}, True), ({"log_retention": False}, False)])
def test_logs_are_kept_unless_the_request_says_no(
    client: Client, user: str, asked: dict[str, bool], kept: bool
) -> None:
    assert client.get(client.created(user, **asked), user).message.log_retention is kept


def test_ids_are_uuids_of_version_7(client: Client, user: str) -> None:
    assert UUID(client.created(user)).version == 7


def test_times_are_rfc_3339_in_utc_with_microseconds(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    client.terminate(workflow_id, user)
    found = client.get(workflow_id, user).message
    for text in (found.created_at, found.updated_at, found.terminated_at):
        assert TIMESTAMP.match(text)
        assert abs(datetime.fromisoformat(text) - datetime.now(UTC)) < timedelta(hours=1)


def test_times_follow_what_happened(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    before = client.get(workflow_id, user).message
    client.update(workflow_id, user, interval=6)
    after = client.get(workflow_id, user).message
    assert after.created_at == before.created_at
    assert after.updated_at > before.updated_at


def test_an_update_replaces_what_a_workflow_is(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    client.update(
        workflow_id,
        user,
        name="weekly",
        payload=OTHER_HTTP,
        interval=10080,
        max_consecutive_job_failures_allowed=7,
    )
    found = client.get(workflow_id, user).message
    assert (found.name, found.payload, found.interval) == ("weekly", OTHER_HTTP, 10080)
    assert found.max_consecutive_job_failures_allowed == 7


def test_an_update_clears_the_failures(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    client.increment(workflow_id)
    client.update(workflow_id, user)
    assert client.get(workflow_id, user).message.consecutive_job_failures_count == 0


@pytest.mark.parametrize(
    ("differing", "build_status", "generation"),
    [
        ({"name": "weekly"}, "success", 1),
        ({"max_consecutive_job_failures_allowed": 9}, "success", 1),
        ({"interval": 6}, "success", 2),
        ({"payload": OTHER_HTTP}, "pending", 2),
        ({"payload": OTHER_HTTP, "interval": 6}, "pending", 2),
    ],
    ids=str,
)
def test_an_update_starts_a_build_or_a_generation(
    client: Client, user: str, differing: dict[str, Any], build_status: str, generation: int
) -> None:
    workflow_id = client.created(user)
    client.build(workflow_id, "success")
    client.update(workflow_id, user, **differing)
    found = client.get(workflow_id, user).message
    assert (found.build_status, found.generation) == (build_status, generation)


def test_an_update_that_changes_nothing_records_nothing(
    client: Client, user: str, shared_database: str
) -> None:
    workflow_id = client.created(user)
    before = client.get(workflow_id, user).message
    client.update(workflow_id, user)
    assert client.get(workflow_id, user).message == before
    assert events_of(shared_database, workflow_id) == ["created"]


@pytest.mark.parametrize("status", ["building", "success", "failed", "canceled", "pending"])
def test_every_build_status_can_be_reported(client: Client, user: str, status: str) -> None:
    workflow_id = client.created(user)
    client.build(workflow_id, "success" if status == "pending" else "pending")
    client.build(workflow_id, status)
    assert client.get(workflow_id, user).message.build_status == status


def test_the_same_build_status_again_records_nothing(
    client: Client, user: str, shared_database: str
) -> None:
    workflow_id = client.created(user)
    for _ in range(2):
        client.build(workflow_id, "building")
    assert events_of(shared_database, workflow_id) == ["created", "build_status_changed"]


def test_a_build_of_the_current_generation_counts(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    client.update(workflow_id, user, interval=6)
    client.build(workflow_id, "success", generation=2)
    assert client.get(workflow_id, user).message.build_status == "success"


@pytest.mark.parametrize("generation", [1, 3, 2**63 - 1])
def test_a_build_of_another_generation_is_refused(
    client: Client, user: str, generation: int
) -> None:
    workflow_id = client.created(user)
    client.update(workflow_id, user, interval=6)
    refusal = refused(lambda: client.build(workflow_id, "success", generation=generation))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "STALE_GENERATION",
    )


def test_failures_count_up_to_the_end(client: Client, user: str) -> None:
    workflow_id = client.created(user, max_consecutive_job_failures_allowed=2)
    answers = [client.increment(workflow_id, job).message for job in ("one", "two")]
    assert [answer.threshold_reached for answer in answers] == [False, True]
    found = client.get(workflow_id, user).message
    assert (found.consecutive_job_failures_count, bool(found.terminated_at)) == (2, True)


def test_a_workflow_goes_on_at_the_threshold_if_that_is_chosen(
    serve: Callable[..., Service],
) -> None:
    client = serve(WORKFLOWS_TERMINATE_AT_THRESHOLD="false").client
    workflow_id = client.created("alice", max_consecutive_job_failures_allowed=1)
    assert client.increment(workflow_id).message.threshold_reached
    assert not client.get(workflow_id, "alice").message.terminated_at


def test_a_reset_starts_the_count_again(client: Client, user: str, shared_database: str) -> None:
    workflow_id = client.created(user)
    client.increment(workflow_id)
    for _ in range(2):
        client.reset(workflow_id)
    assert client.get(workflow_id, user).message.consecutive_job_failures_count == 0
    assert events_of(shared_database, workflow_id) == ["created", "failure_incremented", "reset"]


def test_a_workflow_is_terminated_once(client: Client, user: str, shared_database: str) -> None:
    workflow_id = client.created(user)
    client.terminate(workflow_id, user)
    before = client.get(workflow_id, user).message
    client.terminate(workflow_id, user)
    assert client.get(workflow_id, user).message == before
    assert events_of(shared_database, workflow_id) == ["created", "terminated"]


def test_an_update_makes_a_terminated_workflow_active_again(
    client: Client, user: str, shared_database: str
) -> None:
    workflow_id = client.created(user, max_consecutive_job_failures_allowed=1)
    client.build(workflow_id, "success")
    client.increment(workflow_id, "job")
    refusal = refused(lambda: client.increment(workflow_id, "another"))
    assert "UpdateWorkflow" in refusal.message
    client.update(workflow_id, user, max_consecutive_job_failures_allowed=1)
    found = client.get(workflow_id, user).message
    assert (found.terminated_at, found.consecutive_job_failures_count) == ("", 0)
    assert (found.build_status, found.generation) == ("pending", 2)
    assert events_of(shared_database, workflow_id)[-1] == "updated"


@pytest.mark.parametrize("ended", [True, False])
def test_a_deleted_workflow_is_absent_from_get_and_list(
    client: Client, user: str, shared_database: str, ended: bool
) -> None:
    workflow_id = client.created(user)
    if ended:
        client.terminate(workflow_id, user)
    client.delete(workflow_id, user)
    assert refused(lambda: client.get(workflow_id, user)).code == grpc.StatusCode.NOT_FOUND
    assert refused(lambda: client.get_by_id(workflow_id)).code == grpc.StatusCode.NOT_FOUND
    assert client.walk(user) == []
    assert events_of(shared_database, workflow_id)[-1] == "deleted"


def test_get_by_id_says_what_get_says_and_the_owner(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    client.increment(workflow_id)
    mine = MessageToDict(client.get(workflow_id, user).message)
    assert MessageToDict(client.get_by_id(workflow_id).message) == {**mine, "userId": user}


def test_a_list_says_what_get_says_but_the_generation(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    client.increment(workflow_id)
    client.terminate(workflow_id, user)
    mine = MessageToDict(client.get(workflow_id, user).message)
    [listed] = client.page(user).workflows
    assert MessageToDict(listed) == {k: v for k, v in mine.items() if k != "generation"}
