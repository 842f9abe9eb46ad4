"""A client that records every call: when it began, when and how it ended, and the reply."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from threading import Lock
from time import monotonic_ns
from typing import Any, TypeVar
from uuid import uuid4

import grpc
from google.protobuf.message import Message

from workflows_testing.client import WITHIN, Answer, Client, Refused, ask
from workflows_testing.history import Call, Outcome

M = TypeVar("M", bound=Message)
Q = TypeVar("Q", bound=Message)

UNKNOWN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}
"""Codes of a failing connection or server, which a call may get although it had its effect."""

OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
"""The reason of a refusal if the service itself does not know the outcome."""


def outcome_of(refusal: Refused) -> Outcome:
    """Whether a refused call certainly had no effect.

    A code that a failing connection may give counts as certain only with a reason of the service.
    """
    certain = refusal.reason and refusal.reason != OUTCOME_UNKNOWN
    return Outcome.UNKNOWN if refusal.code in UNKNOWN and not certain else Outcome.REFUSED


class Recorder:
    """Gathers the calls of any number of clients, in the order in which they began."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: dict[str, Call] = {}
        self._clients = count(1)

    @property
    def calls(self) -> list[Call]:
        """All calls so far; one that did not return yet has an unknown outcome."""
        with self._lock:
            return list(self._calls.values())

    def keep(self, call: Call) -> None:
        """Keeps a call; replaces an earlier record of the same call."""
        with self._lock:
            self._calls[call.id] = call

    def next_client(self) -> str:
        """The name of a new client."""
        return f"client {next(self._clients)}"


class RecordingClient(Client):
    """A client whose calls are recorded. It is for one thread: one call is under way at a time."""

    def __init__(self, address: str, recorder: Recorder, within: float = WITHIN) -> None:
        super().__init__(address, within)
        self._recorder = recorder
        self._name = recorder.next_client()

    def ask(self, method: "grpc.UnaryUnaryMultiCallable[Q, M]", request: Q) -> Answer[M]:
        """See Client.ask."""
        call = Call(
            id=uuid4().hex,
            client=self._name,
            server=self.address,
            method=type(request).__name__.removesuffix("Request"),
            request=_fields(request),
            called=monotonic_ns(),
            reply={},
        )
        self._recorder.keep(call)
        metadata = (("x-request-id", call.id),)
        try:
            answer = ask(method, request, metadata, self.within)
        except Refused as refusal:
            self._recorder.keep(_refused(call, refusal))
            raise
        self._recorder.keep(_answered(call, answer))
        return answer


def _answered(call: Call, answer: Answer[Any]) -> Call:
    return replace(
        call,
        returned=monotonic_ns(),
        outcome=Outcome.OK,
        code=grpc.StatusCode.OK.name,
        reply=_fields(answer.message),
        version=int(answer.trailing.get("x-workflow-version", 0)),
        position=int(answer.trailing.get("x-event-position", 0)),
        replayed=answer.replayed,
    )


def _refused(call: Call, refusal: Refused) -> Call:
    outcome = outcome_of(refusal)
    ended = replace(call, outcome=outcome, code=refusal.code.name)
    return ended if outcome is Outcome.UNKNOWN else replace(ended, returned=monotonic_ns())


def _fields(message: Message) -> Mapping[str, Any]:
    """The scalar fields of a message that are set."""
    return {
        field.name: value for field, value in message.ListFields() if field.message_type is None
    }
