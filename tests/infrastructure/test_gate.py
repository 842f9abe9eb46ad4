"""The gate: who is inside finishes, who comes later is refused, and the last one is noticed."""

import asyncio
from typing import Any

import grpc
import pytest
from workflows import workflows_pb2 as pb

from infrastructure.rpc.batcher import Draining
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.guard import guarded

SOON = 60.0  # seconds: patience with a slow machine, not an expectation


async def test_an_empty_gate_is_drained_when_it_closes() -> None:
    gate = Gate()
    gate.close()
    assert await gate.drained(0)


async def test_a_closed_gate_lets_nobody_in() -> None:
    gate = Gate()
    gate.close()
    with pytest.raises(Draining):
        gate.enter()
    assert await gate.drained(0)


async def test_who_is_inside_is_waited_for() -> None:
    gate = Gate()
    gate.enter()
    gate.enter()
    gate.close()
    gate.leave()
    waiting = asyncio.create_task(gate.drained(SOON))
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.leave()
    assert await waiting


async def test_nobody_is_waited_for_longer_than_asked() -> None:
    gate = Gate()
    gate.enter()
    gate.close()
    assert not await gate.drained(0.01)


async def test_an_open_gate_is_not_drained_though_nobody_is_inside() -> None:
    gate = Gate()
    gate.enter()
    gate.leave()
    assert not await gate.drained(0.01)


class Aborted(Exception):
    """What a context raises when a call is aborted."""


class Context:
    """The part of a servicer's context that the guard uses."""

    code: grpc.StatusCode | None = None

    async def abort(self, code: grpc.StatusCode, *_: object) -> None:
        """See grpc.aio.ServicerContext.abort."""
        self.code = code
        raise Aborted


@pytest.mark.parametrize("fault", [None, ValueError("inside"), asyncio.CancelledError()])
async def test_a_call_leaves_however_it_ends(fault: BaseException | None) -> None:
    async def method(_: bytes, __: Any) -> pb.GetWorkflowResponse:
        if fault is not None:
            raise fault
        return pb.GetWorkflowResponse()

    gate, context = Gate(), Context()
    call: Any = guarded("Get", method, gate)
    await asyncio.gather(asyncio.ensure_future(call(b"", context)), return_exceptions=True)
    gate.close()
    assert await gate.drained(0)


async def test_a_call_at_a_closed_gate_is_told_to_go_elsewhere() -> None:
    called: list[bytes] = []

    async def method(request: bytes, _: Any) -> pb.GetWorkflowResponse:
        called.append(request)
        return pb.GetWorkflowResponse()

    gate, context = Gate(), Context()
    gate.close()
    call: Any = guarded("Get", method, gate)
    with pytest.raises(Aborted):
        await call(b"", context)
    assert (called, context.code) == ([], grpc.StatusCode.UNAVAILABLE)
