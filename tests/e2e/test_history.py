"""What happened, who did it and why, and what was there then: over the wire."""

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from workflows import history_pb2 as pb
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

from tests.support.client import Client, ask
from tests.support.service import Service

NAMES = {True: pb.ORDER_NEWEST_FIRST, False: pb.ORDER_OLDEST_FIRST}


@pytest.fixture
def history(service: Service) -> WorkflowHistoryServiceStub:
    """The methods of histories."""
    return WorkflowHistoryServiceStub(service.client.channel)


@pytest.fixture
def terminated(client: Client, user: str) -> str:
    """A workflow that the third failed job terminated."""
    workflow_id = client.created(user, max_consecutive_job_failures_allowed=3)
    client.build(workflow_id, "building")
    for job in ("j-1", "j-2", "j-3"):
        client.increment(workflow_id, job)
    return workflow_id


def events(history: WorkflowHistoryServiceStub, workflow_id: str, **asked: Any) -> list[pb.Event]:
    """All events of a workflow, page after page."""
    found: list[pb.Event] = []
    cursor = ""
    while True:
        request = pb.GetWorkflowHistoryRequest(id=workflow_id, cursor=cursor, **asked)
        page = ask(history.GetWorkflowHistory, request).message
        found += page.events
        if not (cursor := page.cursor):
            return found


def changed(event: pb.Event) -> dict[str, tuple[object, object]]:
    """What an event changed, without the time."""
    return {
        change["field"]: (change.get("before"), change.get("after"))
        for change in MessageToDict(event)["changes"]
        if change["field"] != "updated_at"
    }


def test_a_history_tells_what_each_event_changed_and_why(
    history: WorkflowHistoryServiceStub, terminated: str
) -> None:
    found = events(history, terminated, order=pb.ORDER_OLDEST_FIRST)
    assert [(event.version, pb.EventType.Name(event.type)) for event in found] == [
        (1, "EVENT_TYPE_CREATED"),
        (2, "EVENT_TYPE_BUILD_STATUS_CHANGED"),
        (3, "EVENT_TYPE_FAILURE_INCREMENTED"),
        (4, "EVENT_TYPE_FAILURE_INCREMENTED"),
        (5, "EVENT_TYPE_FAILURE_INCREMENTED"),
        (6, "EVENT_TYPE_TERMINATED"),
    ]
    assert changed(found[1]) == {"build_status": ("pending", "building")}
    assert changed(found[3]) == {"consecutive_job_failures_count": (1.0, 2.0)}
    assert found[3].cause.reason == "failure 2 of 3 by job j-2"


def test_what_a_rule_did_is_the_rules_and_names_the_event_before(
    history: WorkflowHistoryServiceStub, terminated: str
) -> None:
    [newest, before, *_] = events(history, terminated, page_size=2)
    cause = newest.cause
    assert (cause.actor, cause.policy) == ("policy:failure-threshold", "failure-threshold")
    assert cause.preceding_position == before.position
    assert (cause.job_id, cause.reason) == ("j-3", "failure 3 of 3 by job j-3")
    assert before.cause.actor == "anonymous"
    assert before.cause.method == "IncrementWorkflowConsecutiveJobFailuresCount"


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7])
@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_of_any_size_in_either_order_are_the_same_history(
    history: WorkflowHistoryServiceStub, terminated: str, size: int, newest_first: bool
) -> None:
    whole = events(history, terminated, page_size=1000)
    found = events(history, terminated, page_size=size, order=NAMES[newest_first])
    assert found == (whole if newest_first else whole[::-1])


def test_a_page_of_some_types_shows_what_each_of_them_changed(
    history: WorkflowHistoryServiceStub, terminated: str
) -> None:
    wanted = [pb.EVENT_TYPE_CREATED, pb.EVENT_TYPE_TERMINATED, pb.EVENT_TYPE_FAILURE_INCREMENTED]
    found = events(history, terminated, types=wanted, page_size=2)
    whole = events(history, terminated)
    assert found == [event for event in whole if event.type in wanted]
