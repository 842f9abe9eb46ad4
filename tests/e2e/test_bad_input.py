"""Bad input is INVALID_ARGUMENT, names each bad field, and learns nothing of the inside.

Over the wire each field has one bad value: other bad values are tested in the unit that checks
them.
"""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from workflows import workflows_pb2 as pb
from workflows_testing.requests import ABSENT, DOCKER

from tests.e2e.discretion import assert_discreet
from tests.support.client import Client, refused

METHODS = pb.DESCRIPTOR.services_by_name["WorkflowsService"].methods
LONG = "x" * 256
HUGE = "x" * 1_000_000

GOOD: dict[str, Any] = {
    "id": ABSENT,
    "user_id": "ada",
    "name": "nightly",
    "payload": '{"url": "https://example.com"}',
    "kind": "http",
    "interval": 5,
    "max_consecutive_job_failures_allowed": 3,
    "build_status": "building",
}
BAD: dict[str, Any] = {
    "id": "7",
    "user_id": LONG,
    "name": "",
    "payload": "not json",
    "kind": "cron",
    "interval": 525_601,
    "max_consecutive_job_failures_allowed": 0,
    "idempotency_key": "k\x7f",
    "build_status": "done",
    "generation": -1,
    "job_id": "job\x00",
    "cursor": "nonsense",
    "filters.query": "night\tly",
    "filters.kind": "htt",
    "filters.build_status": "Pending",
    "filters.interval_min": -1,
    "filters.interval_max": 525_601,
}


def fields(message: Any, prefix: str = "") -> Iterator[str]:
    """The fields of a request that can be bad; those of its filters too."""
    for field in message.fields:
        if field.message_type:
            yield from fields(field.message_type, f"{prefix}{field.name}.")
        elif field.type != FieldDescriptor.TYPE_BOOL:
            yield prefix + field.name


def request(method: str, *bad: str) -> Any:
    """A request of a method in which these fields are bad and no other."""
    message: Any = GetMessageClass(METHODS[_index(method)].input_type)()
    for name in fields(message.DESCRIPTOR):
        holder, field = message, name
        if name.startswith("filters."):
            holder, field = message.filters, name.removeprefix("filters.")
        if name in bad:
            setattr(holder, field, BAD[name])
        elif name in GOOD:
            setattr(holder, field, GOOD[name])
    return message


def _index(method: str) -> int:
    return [m.name for m in METHODS].index(method)


@pytest.mark.parametrize(
    ("method", "field"), [(m.name, field) for m in METHODS for field in fields(m.input_type)]
)
def test_a_bad_field_is_named(client: Client, method: str, field: str) -> None:
    assert named(client, method, request(method, field)) == [field]


@pytest.mark.parametrize("method", [m.name for m in METHODS])
def test_all_bad_fields_are_named_together(client: Client, method: str) -> None:
    bad = list(fields(METHODS[_index(method)].input_type))
    assert sorted(named(client, method, request(method, *bad))) == sorted(bad)


@pytest.mark.parametrize("method", ["UpdateWorkflow", "GetWorkflow", "TerminateWorkflow"])
def test_a_public_method_needs_a_user(client: Client, method: str) -> None:
    message = request(method)
    message.user_id = ""
    assert named(client, method, message) == ["user_id"]


def test_a_huge_bad_value_is_not_sent_back(client: Client) -> None:
    message = request("CreateWorkflow")
    message.kind = HUGE
    assert named(client, "CreateWorkflow", message) == ["kind"]


def test_an_update_keeps_to_the_rules_of_the_kind(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    refusal = refused(lambda: client.update(workflow_id, user, payload=DOCKER))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELDS", ["payload"])


def test_an_empty_range_of_intervals_is_named(client: Client, user: str) -> None:
    refusal = refused(lambda: client.page(user, interval_min=6, interval_max=5))
    assert refusal.fields == ["filters.interval_max"]


@pytest.mark.parametrize(
    "other", [{"kind": "http"}, {"user_id": "stranger"}], ids=["other filters", "other user"]
)
def test_a_cursor_of_another_list_is_named(
    paging: Client, user: str, other: dict[str, str]
) -> None:
    for _ in range(4):
        paging.create(user)
    cursor = paging.page(user).cursor
    filters = {**other}
    owner = filters.pop("user_id", user)
    assert refused(lambda: paging.page(owner, cursor, **filters)).fields == ["cursor"]


def test_the_longest_texts_are_accepted(client: Client) -> None:
    longest = "x" * 255
    workflow_id = client.created(longest, name="ä" * 255, idempotency_key=longest)
    client.increment(workflow_id, longest, longest)
    assert client.get(workflow_id, longest).message.name == "ä" * 255


@pytest.mark.parametrize(("interval", "maximum"), [(1, 100), (525_600, 1)])
def test_the_bounds_themselves_are_accepted(
    client: Client, user: str, interval: int, maximum: int
) -> None:
    asked = {"interval": interval, "max_consecutive_job_failures_allowed": maximum}
    found = client.get(client.created(user, **asked), user).message
    assert (found.interval, found.max_consecutive_job_failures_allowed) == (interval, maximum)


def named(client: Client, method: str, message: Message) -> list[str]:
    """The fields that a call is refused for; every such refusal is of the same, discreet form."""
    refusal = refused(lambda: client.ask(getattr(client.stub, method), message))
    assert refusal.code == grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.reason == "INVALID_FIELDS"
    assert_discreet(refusal)
    return list(refusal.fields)
