"""From requests into lanes: what is large is parsed and checked on a thread of its own."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Lock, Thread, current_thread
from typing import Any, cast
from weakref import ref

import grpc
import pytest
from workflows import workflows_pb2 as pb

from domain.errors import WorkflowNotFound
from infrastructure.lanes.batcher import Limits
from infrastructure.lanes.lane import Lane
from infrastructure.rpc.dispatch import LARGE, Entrance, answerers, checked
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.guard import Guard, guarded
from infrastructure.rpc.identification import Anyone, Found
from infrastructure.rpc.method import LaneName, Surroundings
from infrastructure.rpc.workflows.methods import METHODS, TABLE
from infrastructure.telemetry.observer import InertObserver
from infrastructure.wire.calls import Call
from tests.support.callers import SOON, Hold
from tests.support.given import CATALOGUE, ID, NOW, OWNER
from tests.support.waiting import until

METHOD = "GetWorkflow"


class Caller:
    """A call, which keeps how it ended."""

    metadata = ()
    deadline = float("inf")
    peer = "ipv4:127.0.0.1:1"

    def __init__(self) -> None:
        self.ended: SimpleQueue[grpc.StatusCode] = SimpleQueue()
        self.leave: Callable[[], object] = lambda: None
        self._gone = False
        self._ending = Lock()

    def answer(self, *_: object) -> None:
        """See Call.answer."""
        self.ended.put(grpc.StatusCode.OK)

    def refuse(self, code: grpc.StatusCode, *_: object) -> None:
        """See Call.refuse."""
        self.ended.put(code)

    def when_cancelled(self, leave: Callable[[], object]) -> None:
        """See Call.when_cancelled."""
        with self._ending:
            if not self._gone:
                self.leave = leave
                return
        leave()

    def forget(self) -> None:
        """Holds nothing any more, as the call of a wire that has ended."""
        with self._ending:
            self._gone = True
            self.leave = lambda: None

    def code(self) -> grpc.StatusCode:
        """How it ended, soon or never."""
        return self.ended.get(timeout=SOON)


class Elsewhere(Anyone):
    """Finds callers on other threads."""

    def known(self, _: Any) -> None:
        """See Identification."""

    def find(self, call: Any, found: Found) -> None:
        """See Identification."""
        Thread(target=super().find, args=(call, found)).start()


class Service:
    """Lanes of two threads: one checks, one finds nothing. Records which lane checked what."""

    def __init__(self, identification: Anyone) -> None:
        self.hold = Hold()
        self.checked_on: list[str] = []
        self.lookups: Lane[Any, Any] = Lane("lookups", self._find, Limits())
        self.checks: Lane[Any, Any] = Lane("checks", self._check, Limits(batch=1, share=2))
        entrances = dict.fromkeys(LaneName, Entrance(self.lookups, self._submission))
        surroundings = Surroundings(lambda: NOW, lambda *_: ID, True, CATALOGUE)
        methods = answerers(METHODS, entrances, self.checks, surroundings)
        only = {METHOD: methods[METHOD]}
        (self._method,) = guarded(
            "tests", only, TABLE.rules(), Guard(Gate(), InertObserver(), identification)
        ).values()

    def call(self, request: bytes) -> Caller:
        """A new call."""
        caller = Caller()
        self._method(request, cast("Call", caller))
        return caller

    def end(self) -> None:
        """Lets everything go, and drains."""
        self.hold.open()
        self.checks.drain()
        self.lookups.drain()

    def _submission(self, lookup: Any, *_: object) -> Any:
        self.checked_on.append(current_thread().name)
        return lookup

    def _check(self, batch: Sequence[Callable[[], Any]]) -> Iterator[Any]:
        self.hold.passed()
        return checked(batch)

    def _find(self, batch: Sequence[Any]) -> list[Any]:
        return [WorkflowNotFound(lookup.workflow_id) for lookup in batch]


@pytest.fixture
def service() -> Iterator[Service]:
    """Lanes, which are drained in the end."""
    service = Service(Anyone())
    yield service
    service.end()


def request(workflow_id: str = ID, user_id: str = OWNER) -> bytes:
    """A request for a workflow."""
    return pb.GetWorkflowRequest(id=workflow_id, user_id=user_id).SerializeToString()


def large(workflow_id: str = ID) -> bytes:
    """The same with a field that nobody knows, of many bytes."""
    length = LARGE
    varint = bytes([length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14])
    return request(workflow_id) + b"\xa2\x06" + varint + bytes(length)


def test_a_small_request_is_checked_where_it_is_called(service: Service) -> None:
    assert service.call(request()).code() is grpc.StatusCode.NOT_FOUND
    assert service.checked_on == [current_thread().name]


def test_a_large_request_is_checked_elsewhere_while_small_ones_pass(service: Service) -> None:
    service.hold.close()
    waiting = service.call(large())
    service.hold.wait_for_work()
    assert service.call(request()).code() is grpc.StatusCode.NOT_FOUND
    assert waiting.ended.empty()
    service.hold.open()
    assert waiting.code() is grpc.StatusCode.NOT_FOUND
    assert service.checked_on == [current_thread().name, "checks"]


@pytest.mark.parametrize("bad", [large("no uuid"), large() + b"\xff"], ids=["field", "bytes"])
def test_a_large_request_that_is_bad_is_refused(service: Service, bad: bytes) -> None:
    assert service.call(bad).code() is grpc.StatusCode.INVALID_ARGUMENT


def test_large_requests_beyond_a_share_are_refused_unread(service: Service) -> None:
    service.hold.close()
    accepted = [service.call(large())]
    service.hold.wait_for_work()
    accepted += [service.call(large()) for _ in range(2)]
    assert service.call(b"unread" + bytes(LARGE)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    service.hold.open()
    assert [call.code() for call in accepted] == [grpc.StatusCode.NOT_FOUND] * 3


def test_a_large_request_whose_caller_leaves_before_it_is_checked_is_not_checked(
    service: Service,
) -> None:
    service.hold.close()
    first = service.call(large())
    service.hold.wait_for_work()
    leaving = service.call(large())
    leaving.leave()
    assert leaving.code() is grpc.StatusCode.CANCELLED
    service.hold.open()
    assert first.code() is grpc.StatusCode.NOT_FOUND
    assert service.checked_on == ["checks"]


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Only what nothing refers to is freed."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("identification", [Anyone(), Elsewhere()], ids=["known", "found"])
@pytest.mark.parametrize("bytes_", [request(), large(), large("no uuid")])
def test_nothing_holds_a_call_that_has_ended(identification: Anyone, bytes_: bytes) -> None:
    service = Service(identification)
    with without_garbage_collection():
        calls = [service.call(bytes_) for _ in range(5)]
        kept = [ref(call) for call in calls]
        for call in calls:
            call.code()
            call.forget()
        del call
        calls.clear()
        until(lambda: not any(call() for call in kept))
    service.end()
