"""The outermost wrapper of every method of ours: who may call it, and what leaves it.

Any exception inside becomes a status.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import monotonic
from typing import TypeVar

import grpc
import structlog

from application.access import ANONYMOUS, Caller, Rule
from application.damage import KnownDamage
from infrastructure.identity.cause import Cause
from infrastructure.rpc.allowance import Allowance, Place
from infrastructure.rpc.errors import refusal_of
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.identification import Anyone, Identification
from infrastructure.rpc.leaving import Leaving
from infrastructure.rpc.load import LEAST, Load
from infrastructure.rpc.method import Rendered
from infrastructure.telemetry.observer import Observer
from infrastructure.wire.calls import Call, Method, MethodBroke, Stream

A = TypeVar("A")

Answerer = Callable[[bytes, "Reply"], None]
"""Takes a request's bytes, and answers or refuses the reply once, now or later. May raise."""

_UNEXPECTED = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS})
_OK = grpc.StatusCode.OK.name
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Guard:
    """What stands before every method: a gate, a listener, the question who calls, and bounds."""

    gate: Gate
    observer: Observer
    identification: Identification = field(default_factory=Anyone)
    of_calls: Allowance | None = None
    """What each caller may take by calls of one answer; None if that has no bound."""
    of_streams: Allowance | None = None
    """What each caller may take by streams; None if that has no bound."""
    longest_wait: float = inf
    """Seconds after which a call is not waited for, whatever its client's deadline."""


def share_of(caller: Caller, call: Call | Stream) -> str:
    """To whom the shares of a queue belong: the caller, or its connection if it is anonymous."""
    return call.peer if caller is ANONYMOUS else caller.name


class Reply(Cause):
    """The answer to one call, given once, from any thread. Its methods do not raise, but one."""

    __slots__ = ("_call", "_guard", "_leaving", "_method", "_place", "_rule", "_started")

    def __init__(self, method: str, call: Call, rule: Rule, guard: Guard) -> None:
        """`method` is a full name, `rule` that of the method."""
        super().__init__(call.metadata)
        self._method = method
        self._call = call
        self._rule = rule
        self._guard = guard
        self._started = monotonic()
        self._leaving: Leaving | None = None
        self._place: Place | None = None

    @property
    def deadline(self) -> float:
        """When nobody waits for the call any more, by the monotonic clock."""
        latest = self._started + self._guard.longest_wait
        deadline = self._call.deadline
        return deadline if deadline < latest else latest  # noqa: FURB136 - min() costs more

    @property
    def share(self) -> str:
        """To whom the shares of a queue belong."""
        return share_of(self.caller, self._call)

    def admit(self, caller: Caller, cost: int) -> None:
        """Notes who calls, and takes part of what that caller may take.

        Raises NotPermitted if the method is not for that caller, ShareExceeded or RateExceeded.
        """
        if caller is not ANONYMOUS:
            self._rule.admit(caller)
            self.caller = caller
        if self._guard.of_calls is not None:
            self._place = self._guard.of_calls.enter(self.share, cost)

    def admit_for(self, owner: str) -> None:
        """Raises NotPermitted if the caller may not act for the owner whom the request names."""
        self._rule.admit_for(self.caller, owner)

    def when_cancelled(self, leave: Callable[[], object]) -> None:
        """Registers what happens if the client cancels before the reply is sent."""
        if self._leaving is None:
            self._call.when_cancelled(leave)
        else:
            self._leaving.becomes(leave)

    def outlives_the_method(self) -> None:
        """Lets `when_cancelled` be called after the method returned. Called before it returns."""
        self._leaving = Leaving()
        self._call.when_cancelled(self._leaving.leave)

    def answer(self, outcome: A | Exception, render: Callable[[A], Rendered]) -> None:
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
        self._end(refuse(self._method, self._call, error))

    def _end(self, code: str) -> None:
        self._guard.gate.leave()
        if self._place is not None:
            self._place.leave()
        if self._leaving is not None:
            self._leaving.end()
        seconds = monotonic() - self._started
        self._guard.observer.call_ended(self._method, code, seconds, self)


def guarded(
    service: str,
    answerers: Mapping[str, Answerer],
    rules: Mapping[str, Rule],
    guard: Guard,
    loads: Mapping[str, Load] | None = None,
) -> dict[str, Method]:
    """The methods of a service behind the guard, by their full names, for a wire.

    `answerers`, `rules` and `loads` are by the methods' short names.
    """
    loads = loads or {}
    return {
        f"/{service}/{name}": _guarded(
            f"{service}/{name}", answerer, rules[name], guard, loads.get(name, LEAST)
        )
        for name, answerer in answerers.items()
    }


def _guarded(name: str, answerer: Answerer, rule: Rule, guard: Guard, load: Load) -> Method:
    enter, known = guard.gate.enter, guard.identification.known
    changes, cost = load.changes, load.cost

    def called(request: bytes, call: Call) -> None:
        reply = Reply(name, call, rule, guard)
        try:
            enter(changes=changes)
        except Exception as closed:  # noqa: BLE001 - as below
            guard.observer.call_ended(name, refuse(name, call, closed), 0.0, reply)
            return
        try:
            caller = known(call)
            if caller is None:
                reply.outlives_the_method()
                guard.identification.find(call, partial(go_on, request, reply))
                return
        except Exception as refused:  # noqa: BLE001 - as below
            reply.refuse(refused)
        else:
            go_on(request, reply, caller)

    def go_on(request: bytes, reply: Reply, caller: Caller | Exception) -> None:
        if isinstance(caller, Exception):
            reply.refuse(caller)
            return
        try:
            reply.admit(caller, cost)
            answerer(request, reply)
        except Exception as error:  # noqa: BLE001 - nothing unmapped may leave, whatever it is
            reply.refuse(error)
        except BaseException as panic:  # noqa: BLE001 - a native library's panic is one
            reply.refuse(broken(panic))

    return called


def refuse(method: str, call: Call | Stream, error: Exception) -> str:
    """Ends a call with the status of an error, and returns the name of its code."""
    refusal = refusal_of(error)
    if refusal.code in _UNEXPECTED and not isinstance(error, KnownDamage):
        _log.error("call failed", method=method, reason=refusal.reason, exc_info=error)
    call.refuse(refusal.code, refusal.text(), refusal.trailing())
    _let_go(error)
    return refusal.code.name


def _let_go(error: BaseException | None) -> None:
    """Parts an error from the frames that it passed, which hold the request.

    If one of them also holds the error, only the garbage collector frees them, minutes later.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def broken(panic: BaseException) -> MethodBroke:
    """The fault of a method that ended in a panic."""
    broke = MethodBroke("the method ended in a panic")
    broke.__cause__ = panic
    return broke
