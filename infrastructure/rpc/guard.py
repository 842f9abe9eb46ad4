"""The outermost wrapper of every method of ours: whatever is raised inside leaves as a status."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import grpc
import structlog
from google.protobuf.message import Message

from infrastructure.rpc.errors import refusal_of
from infrastructure.rpc.gate import Gate
from infrastructure.wire import direct
from infrastructure.wire.direct import Call, Metadata

O = TypeVar("O")  # noqa: E741 - an outcome

Method = Callable[[bytes, "Reply"], None]
"""Takes a request's bytes, and sees to it that the reply is settled once. May raise instead."""

_UNEXPECTED = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS})
_log = structlog.get_logger()


class Reply:
    """How one call will be answered; to be settled once, from any thread. Nothing raises here."""

    __slots__ = ("_call", "_gate", "_method")

    def __init__(self, method: str, call: Call, gate: Gate) -> None:
        self._method = method
        self._call = call
        self._gate = gate

    @property
    def metadata(self) -> Metadata:
        """What the client sent beside its message."""
        return self._call.metadata

    @property
    def deadline(self) -> float:
        """When the caller stops waiting, by the monotonic clock."""
        return self._call.deadline

    def when_cancelled(self, leave: Callable[[], object]) -> None:
        """What to do where the caller goes away before the reply is settled."""
        self._call.when_cancelled(leave)

    def settle(
        self, outcome: O | Exception, render: Callable[[O], tuple[Message, Metadata]]
    ) -> None:
        """Answers with an outcome as it is rendered for the wire, or refuses."""
        if isinstance(outcome, Exception):
            self.refuse(outcome)
            return
        try:
            message, trailing = render(outcome)
            self._call.answer(message.SerializeToString(), trailing)
        except Exception as error:  # noqa: BLE001 - nothing unmapped may leave, whatever it is
            self.refuse(error)
        else:
            self._gate.leave()

    def refuse(self, error: Exception) -> None:
        """Answers with the status of a refusal or a fault."""
        _refuse(self._method, self._call, error)
        self._gate.leave()


def guarded(service: str, methods: Mapping[str, Method], gate: Gate) -> dict[str, direct.Method]:
    """The methods of a service behind the gate, by their full names."""
    return {f"/{service}/{name}": _guarded(name, method, gate) for name, method in methods.items()}


def _guarded(name: str, method: Method, gate: Gate) -> direct.Method:
    def called(request: bytes, call: Call) -> None:
        try:
            gate.enter()
        except Exception as closed:  # noqa: BLE001 - as below
            _refuse(name, call, closed)
            return
        reply = Reply(name, call, gate)
        try:
            method(request, reply)
        except Exception as error:  # noqa: BLE001 - nothing unmapped may leave, whatever it is
            reply.refuse(error)

    return called


def _refuse(method: str, call: Call, error: Exception) -> None:
    refusal = refusal_of(error)
    if refusal.code in _UNEXPECTED:
        _log.error("call failed", method=method, reason=refusal.reason, exc_info=error)
    call.refuse(refusal.code, refusal.text(), refusal.trailing())
