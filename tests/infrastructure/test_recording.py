"""What is read is found in the request; nothing goes on before the access is recorded."""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, cast
from weakref import ref

import grpc
import pytest
from google.protobuf.message import Message
from workflows import history_pb2 as pb
from workflows import workflows_pb2

from application.access import ANONYMOUS
from application.accesses import Access, AccessNotRecorded, Subject
from application.ports import Origin, StoreUnavailable
from domain.errors import WorkflowNotFound
from infrastructure.identity.origin import Origins
from infrastructure.lanes.batcher import Limits
from infrastructure.lanes.lane import Lane
from infrastructure.rpc.dispatch import Entrance, answerers
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.guard import Guard, guarded
from infrastructure.rpc.history.methods import METHODS, TABLE
from infrastructure.rpc.method import LaneName, Surroundings
from infrastructure.rpc.recording import Recording, subject_of
from infrastructure.telemetry.observer import InertObserver
from infrastructure.wire.calls import Call, Metadata
from tests.support.callers import SOON, Hold
from tests.support.given import CATALOGUE, ID, NOW
from tests.support.waiting import until

METHOD = "GetWorkflowHistory"


class Caller:
    """A call that waits for its end."""

    metadata = ()
    deadline = float("inf")
    peer = "ipv4:127.0.0.1:1"

    def __init__(self) -> None:
        self.ended: SimpleQueue[grpc.StatusCode] = SimpleQueue()

    def answer(self, *_: object) -> None:
        """See Call.answer."""
        self.ended.put(grpc.StatusCode.OK)

    def refuse(self, code: grpc.StatusCode, *_: object) -> None:
        """See Call.refuse."""
        self.ended.put(code)

    def when_cancelled(self, leave: Any) -> None:
        """See Call.when_cancelled."""
        self.leave = leave


class Service:
    """A method that is recorded: one lane records, another one finds nothing."""

    def __init__(self) -> None:
        self.hold = Hold()
        self.done: list[str] = []
        self.fault: Exception | None = None
        self.accesses: Lane[Access, Access] = Lane("accesses", self._record, Limits(batch=1))
        self._histories: Lane[Any, Any] = Lane("history", self._find, Limits())
        recording = Recording(self.accesses, Origins(), TABLE.rules())
        [row] = [row for row in METHODS if row.name == METHOD]
        entrance = Entrance(self._histories, lambda asked, *_: asked)
        around = Surroundings(lambda: NOW, lambda *_: ID, True, CATALOGUE)
        methods = answerers(
            [row], dict.fromkeys(LaneName, entrance), self._histories, around, recording
        )
        guard = Guard(Gate(), InertObserver())
        [self._method] = guarded("tests", methods, TABLE.rules(), guard).values()

    def call(self) -> Caller:
        """A new call."""
        caller = Caller()
        request = pb.GetWorkflowHistoryRequest(id=ID).SerializeToString()
        self._method(request, cast("Call", caller))
        return caller

    def end(self) -> None:
        """Lets everything go, and drains."""
        self.hold.open()
        self.accesses.drain()
        self._histories.drain()

    def _record(self, batch: Sequence[Access]) -> Iterator[Access]:
        self.hold.passed()
        if self.fault is not None:
            raise self.fault
        self.done += ["recorded"] * len(batch)
        yield from batch

    def _find(self, batch: Sequence[Any]) -> list[Any]:
        self.done += ["read"] * len(batch)
        return [WorkflowNotFound(ID) for _ in batch]


@pytest.fixture
def service() -> Iterator[Service]:
    """Lanes, which are drained in the end."""
    service = Service()
    yield service
    service.end()


def test_nothing_is_read_before_the_access_is_recorded(service: Service) -> None:
    service.hold.close()
    call = service.call()
    service.hold.wait_for_work()
    assert (service.done, call.ended.empty()) == ([], True)
    service.hold.open()
    assert call.ended.get(timeout=SOON) is grpc.StatusCode.NOT_FOUND
    assert service.done == ["recorded", "read"]


def test_what_cannot_be_recorded_is_not_read(service: Service) -> None:
    service.fault = AccessNotRecorded(StoreUnavailable())
    assert service.call().ended.get(timeout=SOON) is grpc.StatusCode.UNAVAILABLE
    assert service.done == []


def test_a_caller_who_leaves_while_its_access_waits_is_neither_recorded_nor_read(
    service: Service,
) -> None:
    service.hold.close()
    first = service.call()
    service.hold.wait_for_work()
    leaving = service.call()
    leaving.leave()
    service.hold.open()
    assert first.ended.get(timeout=SOON) is grpc.StatusCode.NOT_FOUND
    assert leaving.ended.get(timeout=SOON) is grpc.StatusCode.CANCELLED
    assert service.done == ["recorded", "read"]


class Answering:
    """The answer to a call of a stream."""

    share = "one"
    deadline = float("inf")

    def __init__(self) -> None:
        self.metadata: Metadata = ()
        self.caller = ANONYMOUS
        self.origin: Origin | None = None
        self.outcomes: SimpleQueue[object] = SimpleQueue()

    def refuse(self, error: Exception) -> None:
        """See Reply.refuse."""
        self.outcomes.put(error)


@pytest.mark.parametrize("fault", [None, AccessNotRecorded(StoreUnavailable())])
def test_a_stream_begins_once_its_access_is_recorded_or_is_refused(
    service: Service, fault: Exception | None
) -> None:
    service.fault, reply = fault, Answering()
    broken = ValueError("it cannot begin")

    def begin() -> None:
        service.done.append("began")
        raise broken

    recording = Recording(service.accesses, Origins(), TABLE.rules())
    recording.first("WatchEvents", pb.WatchEventsRequest(), "", reply, begin)
    assert reply.outcomes.get(timeout=SOON) is (fault or broken)
    assert service.done == ([] if fault else ["recorded", "began"])


def test_what_is_not_recorded_begins_at_once(service: Service) -> None:
    rules = {name: replace(rule, recorded=False) for name, rule in TABLE.rules().items()}
    begun: list[bool] = []
    Recording(service.accesses, Origins(), rules).first(
        "WatchEvents", pb.WatchEventsRequest(), "", Answering(), lambda: begun.append(True)
    )
    assert (begun, service.done) == ([True], [])


@pytest.mark.parametrize("fault", [None, AccessNotRecorded(StoreUnavailable())])
def test_nothing_holds_a_call_that_has_ended(service: Service, fault: Exception | None) -> None:
    service.fault = fault
    gc.disable()
    try:
        call = service.call()
        kept = ref(call)
        call.ended.get(timeout=SOON)
        call.leave = None  # A wire forgets it when a call has ended.
        del call
        until(lambda: kept() is None)
    finally:
        gc.enable()


FILTER = pb.EventFilter(user_id="alice", workflow_id=ID)
DELETE = workflows_pb2.DeleteWorkflowRequest(id=ID, user_id="alice")


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        (pb.GetWorkflowHistoryRequest(id=ID), Subject("", ID)),
        (pb.ListWorkflowsAsOfRequest(user_id="alice"), Subject("alice")),
        (pb.GetProofRequest(position=7), Subject(position=7)),
        (pb.SearchEventsRequest(filter=FILTER), Subject("alice", ID)),
        (pb.WhatIfRequest(delete=DELETE), Subject("alice", ID)),
        (pb.WhatIfRequest(), Subject()),
        (pb.VerifyFeedRequest(), Subject()),
    ],
    ids=lambda each: type(each).__name__,
)
def test_whose_history_is_read_stands_in_the_request(message: Message, subject: Subject) -> None:
    assert subject_of(message) == subject
