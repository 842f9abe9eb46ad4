"""What an observer hears of calls: each once, with its code, and little enough to cost nothing."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import pytest

from domain.errors import WorkflowNotFound
from infrastructure.lanes.batcher import Limits
from infrastructure.lanes.lane import Lane
from infrastructure.rpc.dispatch import Entrance, answerers
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.guard import Guard, guarded
from infrastructure.rpc.method import LaneName, Surroundings
from infrastructure.rpc.workflows.methods import METHODS, TABLE
from infrastructure.telemetry.observer import EndedCall, InertObserver
from infrastructure.wire.calls import Call
from tests.support.callers import Hold
from tests.support.given import CATALOGUE, ID, NOW, OWNER

GET = "/workflows.WorkflowsService/GetWorkflow"


class Listener(InertObserver):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []
        self.heard: Counter[str] = Counter()

    def call_ended(self, method: str, code: str, seconds: float, call: EndedCall) -> None:
        """See Observer."""
        assert 0 <= seconds < 60
        self.heard["call_ended"] += 1
        self.ended.append((method, code))

    def batch_taken(self, lane: str, waiting: int, taken: int, waited: float) -> None:
        """See Observer."""
        self.heard["batch_taken"] += 1

    def batch_finished(self, lane: str, taken: int, seconds: float) -> None:
        """See Observer."""
        self.heard["batch_finished"] += 1


class Silent:
    """A call whose answer nobody reads."""

    metadata = ()
    deadline = float("inf")
    peer = "ipv4:127.0.0.1:1"

    def answer(self, *_: object) -> None:
        """See Call.answer."""

    refuse = answer
    when_cancelled = answer


def call(method: Callable[[bytes, Call], None], request: bytes) -> None:
    """A call of a guarded method."""
    method(request, cast("Call", Silent()))


def lookup(workflow_id: str) -> bytes:
    """A request for a workflow."""
    row = METHODS[3]
    return row.request(id=workflow_id, user_id=OWNER).SerializeToString()


def not_found(batch: Sequence[Any], hold: Hold) -> list[Any]:
    """Work that finds nothing."""
    hold.passed()
    return [WorkflowNotFound(lookup.workflow_id) for lookup in batch]


@pytest.fixture
def listener() -> Listener:
    """An observer that keeps what it hears."""
    return Listener()


def test_an_observer_hears_once_of_each_call_and_twice_of_each_batch(listener: Listener) -> None:
    hold, gate = Hold(), Gate()
    lane: Lane[Any, Any] = Lane("lookups", partial(not_found, hold=hold), Limits(), listener)
    entrance = Entrance(lane, lambda lookup, *_: lookup)
    surroundings = Surroundings(lambda: NOW, lambda *_: ID, True, CATALOGUE)
    methods = answerers(METHODS, dict.fromkeys(LaneName, entrance), lane, surroundings)
    get = guarded(TABLE.name, methods, TABLE.rules(), Guard(gate, listener))[GET]
    hold.close()
    call(get, lookup(ID))
    hold.wait_for_work()
    for _ in range(20):
        call(get, lookup(ID))
    call(get, lookup("no uuid"))
    hold.open()
    lane.drain()
    gate.close()
    call(get, lookup(ID))
    codes = Counter(listener.ended)
    assert codes == {
        (GET[1:], "NOT_FOUND"): 21,
        (GET[1:], "INVALID_ARGUMENT"): 1,
        (GET[1:], "UNAVAILABLE"): 1,
    }
    assert listener.heard == {"call_ended": 23, "batch_taken": 2, "batch_finished": 2}
