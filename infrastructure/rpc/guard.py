"""The outermost wrapper of every method of ours: any exception inside becomes a status."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TypeVar

import grpc
import structlog

from application.damage import KnownDamage
from infrastructure.rpc.errors import refusal_of
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.method import Rendered
from infrastructure.telemetry.observer import Observer
from infrastructure.wire.calls import Call, Metadata, Method, MethodBroke

A = TypeVar("A")

Answerer = Callable[[bytes, "Reply"], None]
"""Takes a request's bytes, and settles or refuses the reply once, now or later. May raise."""

_UNEXPECTED = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS})
_OK = grpc.StatusCode.OK.name
_log = structlog.get_logger()


class Reply:
    """The answer to one call, given once, from any thread. Its methods do not raise."""

    __slots__ = ("_call", "_gate", "_method", "_observer", "_started")

    def __init__(self, method: str, call: Call, gate: Gate, observer: Observer) -> None:
        self._method = method
        self._call = call
        self._gate = gate
        self._observer = observer
        self._started = perf_counter()

    @property
    def metadata(self) -> Metadata:
        """What the client sent beside its message."""
        return self._call.metadata

    @property
    def deadline(self) -> float:
        """When the client stops waiting, by the monotonic clock."""
        return self._call.deadline

    @property
    def caller(self) -> str:
        """The caller to whom shares of a queue belong: the client's connection."""
        return self._call.peer

    def when_cancelled(self, leave: Callable[[], object]) -> None:
        """Registers what happens if the client cancels before the reply is settled."""
        self._call.when_cancelled(leave)

    def settle(self, outcome: A | Exception, render: Callable[[A], Rendered]) -> None:
        """Sends the reply that `render` makes of the outcome; refuses if it is an exception."""
        if isinstance(outcome, Exception):
            self.refuse(outcome)
            return
        try:
            message, trailing = render(outcome)
            self._call.answer(message.SerializeToString(), trailing)
        except Exception as error:  # noqa: BLE001 - nothing unmapped may leave, whatever it is
            self.refuse(error)
        else:
            self._end(_OK)

    def refuse(self, error: Exception) -> None:
        """Sends the status of a refusal or a fault."""
        self._end(_refuse(self._method, self._call, error))

    def _end(self, code: str) -> None:
        self._gate.leave()
        self._observer.call_ended(self._method, code, perf_counter() - self._started)


def guarded(
    service: str, answerers: Mapping[str, Answerer], gate: Gate, observer: Observer
) -> dict[str, Method]:
    """The methods of a service behind the gate, by their full names, for a wire."""
    return {
        f"/{service}/{name}": _guarded(name, answerer, gate, observer)
        for name, answerer in answerers.items()
    }


def _guarded(name: str, answerer: Answerer, gate: Gate, observer: Observer) -> Method:
    def called(request: bytes, call: Call) -> None:
        try:
            gate.enter()
        except Exception as closed:  # noqa: BLE001 - as below
            observer.call_ended(name, _refuse(name, call, closed), 0.0)
            return
        reply = Reply(name, call, gate, observer)
        try:
            answerer(request, reply)
        except Exception as error:  # noqa: BLE001 - nothing unmapped may leave, whatever it is
            reply.refuse(error)
        except BaseException as panic:  # noqa: BLE001 - a native library's panic is one
            broke = MethodBroke("the method ended in a panic")
            broke.__cause__ = panic
            reply.refuse(broke)

    return called


def _refuse(method: str, call: Call, error: Exception) -> str:
    """Ends a call with the status of an error, and returns the name of its code."""
    refusal = refusal_of(error)
    if refusal.code in _UNEXPECTED and not isinstance(error, KnownDamage):
        _log.error("call failed", method=method, reason=refusal.reason, exc_info=error)
    call.refuse(refusal.code, refusal.text(), refusal.trailing())
    return refusal.code.name
