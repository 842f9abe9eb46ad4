"""Events are watched: each that matches once, in order, at once, and on from any place."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any

import grpc
import pytest
from workflows import history_pb2 as pb
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

from infrastructure.client.channel import trailing_of
from tests.support.client import Client, together
from tests.support.service import Service
from tests.support.waiting import until

SOON = 20.0  # seconds
Code = grpc.StatusCode


@contextmanager
def watching(service: Service, **asked: Any) -> Iterator[Any]:
    """A watch that was begun; it is cancelled at the end of the block."""
    stub = WorkflowHistoryServiceStub(service.client.channel)
    call = stub.WatchEvents(pb.WatchEventsRequest(**asked), timeout=SOON)
    try:
        yield call
    finally:
        call.cancel()


def events(call: Any, count: int) -> list[pb.Event]:
    """The next events, so many of them and no others in the last response."""
    found: list[pb.Event] = []
    while len(found) < count:
        found += next(call).events
    assert len(found) == count
    return found


def told(found: list[pb.Event]) -> list[tuple[str, str]]:
    """Workflow and type of each event."""
    return [
        (each.workflow_id, pb.EventType.Name(each.type).removeprefix("EVENT_TYPE_"))
        for each in found
    ]


def end(client: Client, user: str) -> int:
    """The last position of the feed."""
    stub = WorkflowHistoryServiceStub(client.channel)
    asked = pb.ListWorkflowsAsOfRequest(user_id=user)
    return int(stub.ListWorkflowsAsOf(asked, timeout=SOON).place.position)


def test_a_watch_shows_what_was_recorded_and_then_what_is_recorded(
    service: Service, client: Client, elsewhere: Client, user: str
) -> None:
    before = client.created(user)
    with watching(service, after=0, filter={"user_id": user}) as call:
        assert told(events(call, 1)) == [(before, "CREATED")]
        after = elsewhere.created(user)
        client.increment(after, "j-1")
        seen = events(call, 2)
    assert told(seen) == [(after, "CREATED"), (after, "FAILURE_INCREMENTED")]
    assert seen[0].position < seen[1].position


def test_a_watch_of_what_comes_begins_with_its_place(
    service: Service, client: Client, user: str
) -> None:
    client.created(user)
    with watching(service, after=-1, filter={"user_id": user}) as call:
        first = next(call)
        assert not first.events
        assert first.place.position >= 1
        new = client.created(user)
        assert told(events(call, 1)) == [(new, "CREATED")]


@pytest.mark.parametrize("way", ["cursor", "position"])
def test_a_watch_is_resumed_at_any_process_after_any_response(
    services: tuple[Service, Service, Service], client: Client, user: str, way: str
) -> None:
    ids = [client.created(user) for _ in range(6)]
    one, other, _ = services
    with watching(one, after=0, filter={"user_id": user}) as call:
        last = next(each for each in call if each.events)
    seen = [each.workflow_id for each in last.events]
    ids += [client.created(user) for _ in range(3)]
    place: dict[str, Any] = {"cursor": last.cursor} if way == "cursor" else {}
    with watching(other, after=last.events[-1].position, filter={"user_id": user}, **place) as call:
        rest = events(call, len(ids) - len(seen))
    assert [*seen, *(each.workflow_id for each in rest)] == ids


def test_filters_combine(service: Service, client: Client, user: str, other_user: str) -> None:
    mine, another = client.created(user), client.created(user)
    client.created(other_user)
    for each in (mine, another):
        client.increment(each, "j-1")
        client.terminate(each, user)
    types = [pb.EVENT_TYPE_CREATED, pb.EVENT_TYPE_TERMINATED]
    wanted = {"user_id": user, "workflow_id": mine.upper(), "types": types}
    with watching(service, filter=wanted) as call:
        assert told(events(call, 2)) == [(mine, "CREATED"), (mine, "TERMINATED")]
    with watching(service, filter={"user_id": other_user, "workflow_id": mine}) as call:
        first = next(call)
        assert not first.events, "a workflow of another user is not shown"


def uncovered(shown: Iterable[pb.Event]) -> list[pb.Event]:
    """Events without the checkpoint that covers them, which may be signed at any moment."""
    found = list(shown)
    for each in found:
        each.ClearField("checkpoint_size")
    return found


def test_an_event_is_shown_as_a_history_shows_it(
    service: Service, client: Client, user: str
) -> None:
    workflow_id = client.created(user, max_consecutive_job_failures_allowed=1)
    client.increment(workflow_id, "j-1")
    stub = WorkflowHistoryServiceStub(client.channel)
    asked = pb.GetWorkflowHistoryRequest(id=workflow_id, order=pb.ORDER_OLDEST_FIRST)
    history = uncovered(stub.GetWorkflowHistory(asked, timeout=SOON).events)
    with watching(service, filter={"workflow_id": workflow_id}) as call:
        assert uncovered(events(call, 3)) == history
    search = pb.SearchEventsRequest(
        filter=pb.EventFilter(workflow_id=workflow_id), order=pb.ORDER_OLDEST_FIRST
    )
    found = stub.SearchEvents(search, timeout=SOON)
    deadline = monotonic() + SOON
    while len(found.events) < 3 and monotonic() < deadline:
        found = stub.SearchEvents(search, timeout=SOON)
    assert uncovered(found.events) == history
    assert found.place.position >= history[-1].position


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"after": -2}, "after"),
        ({"after": 2**62}, "after"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"filter": {"workflow_id": "7"}}, "filter.workflow_id"),
        ({"filter": {"job_id": "j-1"}}, "filter.job_id"),
        ({"filter": {"types": [99]}}, "filter.types"),
    ],
)
def test_a_watch_that_cannot_be_is_refused(
    service: Service, asked: dict[str, Any], field: str
) -> None:
    with watching(service, **asked) as call:
        with pytest.raises(grpc.RpcError) as refused:
            next(call)
        assert refused.value.code() is Code.INVALID_ARGUMENT
        assert str(refused.value.details()).startswith(f"{field} ")


def test_a_cursor_belongs_to_its_filter(service: Service, client: Client, user: str) -> None:
    client.created(user)
    with watching(service, filter={"user_id": user}) as call:
        cursor = next(each for each in call if each.events).cursor
    with (
        watching(service, cursor=cursor) as call,
        pytest.raises(grpc.RpcError, match="does not belong to this watch"),
    ):
        next(call)


def test_a_client_that_does_not_read_is_told_so_and_resumes(serve: Any, user: str) -> None:
    service = serve(WORKFLOWS_PATIENCE="1")
    with watching(service, filter={"user_id": user}) as call:
        next(call)
        payload = f'{{"run": "{"x" * 200_000}"}}'
        create = partial(service.client.created, user, kind="script", payload=payload)
        ids = together([create] * 60, 10)
        until(lambda: "RESOURCE_EXHAUSTED" in service.log())
        responses: list[pb.WatchEventsResponse] = []
        with pytest.raises(grpc.RpcError, match="Watch again with the cursor of the last"):
            responses += call
        assert call.code() is Code.RESOURCE_EXHAUSTED
    seen = [event.workflow_id for each in responses for event in each.events]
    assert len(seen) < len(ids), "the client did not read slowly"
    with watching(service, cursor=responses[-1].cursor, filter={"user_id": user}) as call:
        seen += [event.workflow_id for event in events(call, len(ids) - len(seen))]
    assert sorted(seen) == sorted(map(str, ids))


def test_a_server_that_stops_says_where_to_go_on(serve: Any, user: str) -> None:
    one, other = serve(), serve()
    mine = one.client.created(user)
    with watching(one, filter={"user_id": user}) as call:
        assert told(events(call, 1)) == [(mine, "CREATED")]
        one.tell_to_stop()
        with pytest.raises(grpc.RpcError) as ended:
            list(call)
        assert ended.value.code() is Code.UNAVAILABLE
        cursor = trailing_of(call)["x-resume-cursor"]
    assert one.wait() == 0
    new = other.client.created(user)
    with watching(other, cursor=cursor, filter={"user_id": user}) as call:
        assert told(events(call, 1)) == [(new, "CREATED")]
