"""Events are found by whatever tells them apart, and pages show all of them once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from workflows import history_pb2 as pb
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub
from workflows_testing import requests

from tests.support.client import Client, Refused, ask, refused
from tests.support.waiting import until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
EVENTS = 5  # of `told`


def search(client: Client, size: int = 0, **wanted: Any) -> list[pb.Event]:
    """What all pages show, newest first."""
    stub = WorkflowHistoryServiceStub(client.channel)
    asked = pb.SearchEventsRequest(filter=pb.EventFilter(**wanted), page_size=size)
    found: list[pb.Event] = []
    while True:
        page = ask(stub.SearchEvents, asked).message
        assert page.place.position > 0
        found += page.events
        if not page.cursor:
            return found
        asked.cursor = page.cursor


def after(moment: datetime) -> Timestamp:
    """A time of the contract."""
    time = Timestamp()
    time.FromDatetime(moment)
    return time


@pytest.fixture
def told(client: Client, user: str) -> str:
    """A workflow whose life has what each filter asks for; all of it can be found."""
    word = user.replace(" ", "-")
    metadata = (("x-request-id", f"r-{word}"), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"))
    new = requests.create(user, idempotency_key=f"k-{word}")
    workflow_id = ask(client.stub.CreateWorkflow, new, metadata=metadata).message.id
    client.update(workflow_id, user, interval=9, max_consecutive_job_failures_allowed=1)
    client.increment(workflow_id, f"j-{word}")
    client.delete(workflow_id, user)
    until(lambda: len(search(client, workflow_id=workflow_id)) == EVENTS)
    return workflow_id


@pytest.mark.parametrize(
    ("wanted", "types"),
    [
        ({"user_id": "{user}"}, [7, 6, 4, 2, 1]),
        ({"types": [2, 7]}, [7, 2]),
        ({"actor": "policy:failure-threshold"}, [6]),
        ({"changed_field": "consecutive_job_failures_count"}, [4, 1]),
        ({"changed_field": "interval"}, [2, 1]),
        ({"request_id": "r-{word}"}, [1]),
        ({"request_id": "client:r-{word}"}, [1]),
        ({"trace_id": TRACE}, [1]),
        ({"idempotency_key": "k-{word}"}, [1]),
        ({"job_id": "j-{word}"}, [6, 4]),
        ({"since": after(datetime.now(UTC) - timedelta(hours=1))}, [7, 6, 4, 2, 1]),
        ({"until": after(datetime.now(UTC) - timedelta(hours=1))}, []),
    ],
)
def test_events_are_found_by_each_filter(
    client: Client, told: str, user: str, wanted: dict[str, Any], types: list[int]
) -> None:
    words = {"user": user, "word": user.replace(" ", "-")}
    given: Any = {k: v.format(**words) if isinstance(v, str) else v for k, v in wanted.items()}
    assert [event.type for event in search(client, workflow_id=told, **given)] == types


def test_small_pages_show_what_one_large_page_shows(client: Client, told: str, user: str) -> None:
    assert search(client, 2, user_id=user) == search(client, user_id=user)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"changed_field": "colour"}, "filter.changed_field"),
        ({"workflow_id": "7"}, "filter.workflow_id"),
        ({"types": [99]}, "filter.types"),
        ({"since": Timestamp(seconds=9), "until": Timestamp(seconds=9)}, "filter.until"),
    ],
)
def test_a_filter_that_can_match_nothing_is_refused(
    client: Client, wanted: dict[str, Any], field: str
) -> None:
    found: Refused = refused(lambda: search(client, **wanted))
    assert found.fields == [field]
