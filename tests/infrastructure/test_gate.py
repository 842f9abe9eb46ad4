"""The gate: who is inside finishes, who comes later is refused, and the last one is noticed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from workflows import workflows_pb2 as pb

from application.access import Door, Role, Rule
from domain.errors import WorkflowNotFound
from infrastructure.lanes.refusals import CallerLeft, Draining, Overloaded
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.guard import Answerer, Guard, Reply, guarded
from infrastructure.telemetry.observer import InertObserver
from infrastructure.wire.calls import Metadata
from tests.support.given import ID
from tests.support.wire_server import Serving

SOON = 60.0  # seconds: patience with a slow machine, not an expectation
EMPTY = pb.GetWorkflowResponse()
METHOD = "/tests.Service/Method"
Code = grpc.StatusCode
OBSERVER = InertObserver()
RULES = {"Method": Rule(Door.PUBLIC, frozenset(Role))}


def test_an_empty_gate_is_drained_when_it_closes() -> None:
    gate = Gate()
    gate.close()
    assert gate.drained(0)


def test_a_closed_gate_lets_nobody_in() -> None:
    gate = Gate()
    gate.close()
    with pytest.raises(Draining):
        gate.enter()
    assert gate.drained(0)


def test_under_load_changes_are_refused_before_reads_are() -> None:
    gate = Gate(calls=3, shed_at=1, streams=1)
    gate.enter(changes=True)
    with pytest.raises(Overloaded):
        gate.enter(changes=True)
    gate.enter()
    gate.enter()
    with pytest.raises(Overloaded):
        gate.enter()
    gate.leave()
    gate.enter()


def test_streams_are_bounded_on_their_own() -> None:
    gate, ends = Gate(streams=1), [Event().set, Event().set]
    gate.enter_stream(ends[0])
    with pytest.raises(Overloaded):
        gate.enter_stream(ends[1])
    gate.leave_stream(ends[0])
    gate.enter_stream(ends[1])


def test_who_is_inside_is_waited_for() -> None:
    gate = Gate()
    gate.enter()
    gate.enter()
    gate.close()
    gate.leave()
    assert not gate.drained(0)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(gate.drained, SOON)
        assert not waiting.done()
        gate.leave()
        assert waiting.result(SOON)


def test_nobody_is_waited_for_longer_than_asked() -> None:
    gate = Gate()
    gate.enter()
    gate.close()
    assert not gate.drained(0.01)


def test_an_open_gate_is_not_drained_though_nobody_is_inside() -> None:
    gate = Gate()
    gate.enter()
    gate.leave()
    assert not gate.drained(0.01)


def test_calls_that_come_and_go_on_many_threads_are_counted() -> None:
    gate = Gate()

    def comes_and_goes(_: int) -> None:
        for _ in range(2000):
            gate.enter()
            gate.leave()

    gate.enter()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(comes_and_goes, range(4), timeout=SOON))
    gate.close()
    assert not gate.drained(0)
    gate.leave()
    assert gate.drained(0)


def rendered(message: Message) -> tuple[Message, Metadata]:
    """A rendering that succeeds."""
    return message, (("x-workflow-version", "7"),)


def not_rendered(_: object) -> tuple[Message, Metadata]:
    """A rendering that fails."""
    raise ValueError("inside")


def no_message(_: object) -> tuple[Message, Metadata]:
    """A rendering that makes something else than a message."""
    nothing: Any = None
    return nothing, ()


def raises(error: BaseException) -> Callable[[Reply], None]:
    """A way to end a call: the method raises."""

    def end(_: Reply) -> None:
        raise error

    return end


ENDINGS: dict[str, tuple[Callable[[Reply], None], grpc.StatusCode]] = {
    "is answered": (lambda reply: reply.answer(EMPTY, rendered), Code.OK),
    "is refused": (lambda reply: reply.refuse(WorkflowNotFound(ID)), Code.NOT_FOUND),
    "has a refusal for outcome": (
        lambda reply: reply.answer(WorkflowNotFound(ID), rendered),
        Code.NOT_FOUND,
    ),
    "has a fault for outcome": (
        lambda reply: reply.answer(ValueError("inside"), rendered),
        Code.INTERNAL,
    ),
    "is not rendered": (lambda reply: reply.answer(EMPTY, not_rendered), Code.INTERNAL),
    "is rendered as no message": (lambda reply: reply.answer(EMPTY, no_message), Code.INTERNAL),
}
RAISED: dict[str, tuple[Callable[[Reply], None], grpc.StatusCode]] = {
    "raises a refusal": (raises(WorkflowNotFound(ID)), Code.NOT_FOUND),
    "raises a fault": (raises(ValueError("inside")), Code.INTERNAL),
    "panics": (raises(SystemExit("inside")), Code.INTERNAL),
}


def ending_of(serving: Serving, method: Answerer, gate: Gate) -> tuple[grpc.StatusCode, str]:
    """How a call of a method behind a gate ends for its caller: a code and a text."""
    with serving(
        guarded("tests.Service", {"Method": method}, RULES, Guard(gate, OBSERVER))
    ) as wire:
        call: Any = wire.call(METHOD).future(b"", timeout=SOON)
        call.exception(SOON)
        return call.code(), call.details()


@pytest.mark.parametrize(
    ("end", "code"), [*ENDINGS.values(), *RAISED.values()], ids=[*ENDINGS, *RAISED]
)
def test_a_call_leaves_however_it_ends(
    serving: Serving, end: Callable[[Reply], None], code: grpc.StatusCode
) -> None:
    gate = Gate()
    ended, text = ending_of(serving, lambda _, reply: end(reply), gate)
    assert ended is code
    assert "inside" not in text
    gate.close()
    assert gate.drained(SOON)


@pytest.mark.parametrize(("end", "code"), ENDINGS.values(), ids=ENDINGS)
def test_a_call_leaves_however_it_ends_on_another_thread(
    serving: Serving, end: Callable[[Reply], None], code: grpc.StatusCode
) -> None:
    gate = Gate()
    with ThreadPoolExecutor(1) as elsewhere:

        def method(_: bytes, reply: Reply) -> None:
            elsewhere.submit(end, reply)

        ended, text = ending_of(serving, method, gate)
    assert ended is code
    assert "inside" not in text
    gate.close()
    assert gate.drained(SOON)


def test_a_call_that_waits_is_inside_until_it_is_answered(serving: Serving) -> None:
    gate, waiting = Gate(), SimpleQueue[Reply]()
    methods = guarded(
        "tests.Service",
        {"Method": lambda _, reply: waiting.put(reply)},
        RULES,
        Guard(gate, OBSERVER),
    )
    with serving(methods) as wire:
        calling = wire.call(METHOD).future(b"", timeout=SOON)
        reply = waiting.get(timeout=SOON)
        gate.close()
        assert not gate.drained(0)
        reply.answer(EMPTY, rendered)
        assert gate.drained(SOON)
        assert calling.result(SOON) == EMPTY.SerializeToString()


def test_a_call_whose_caller_left_leaves(serving: Serving) -> None:
    gate, waiting = Gate(), Event()

    def method(_: bytes, reply: Reply) -> None:
        reply.when_cancelled(lambda: reply.refuse(CallerLeft()))
        waiting.set()

    with serving(
        guarded("tests.Service", {"Method": method}, RULES, Guard(gate, OBSERVER))
    ) as wire:
        calling = wire.call(METHOD).future(b"", timeout=SOON)
        assert waiting.wait(SOON)
        gate.close()
        assert not gate.drained(0)
        calling.cancel()
        assert gate.drained(SOON)


def test_a_call_at_a_closed_gate_is_sent_elsewhere(serving: Serving) -> None:
    called: list[bytes] = []
    gate = Gate()
    gate.close()
    code, _ = ending_of(serving, lambda request, _: called.append(request), gate)
    assert (called, code) == ([], Code.UNAVAILABLE)
    assert gate.drained(0)
