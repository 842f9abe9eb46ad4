"""From requests of the history's contract to questions about the past.

Each function raises InvalidFields, which names every bad field.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from workflows import history_pb2 as pb

from application.history.questions import (
    AsOfRequest,
    AtPosition,
    AtTime,
    AtVersion,
    CheckpointRequest,
    DiffRequest,
    HistoryRequest,
    ListAsOfRequest,
    Moment,
    ProofRequest,
    Subject,
    WhatIfRequest,
)
from domain.commands import Command
from domain.errors import InvalidFields, Violation
from infrastructure.rpc.method import Surroundings
from infrastructure.rpc.workflows import convert as workflows

_PREFIX = "EVENT_TYPE_"
_NO_TIME = "is no time from 0001 to 9999; one in this range is accepted"
_NO_ORDER = "is unknown; 1 (newest first) or 2 (oldest first) is accepted"
_NO_TYPE = "holds an unknown type; 1 to 7 are accepted"
_NO_COMMAND = "is missing; one of create, update and so on is accepted"

# The field of the request, the method that takes the same message, and how it is converted.
_COMMANDS: dict[str, tuple[str, Callable[[Any, Surroundings], Command]]] = {
    "create": ("CreateWorkflow", workflows.create),
    "update": ("UpdateWorkflow", workflows.update),
    "update_build_status": ("UpdateWorkflowBuildStatus", workflows.update_build_status),
    "increment": ("IncrementWorkflowConsecutiveJobFailuresCount", workflows.increment),
    "reset": ("ResetWorkflowConsecutiveJobFailuresCount", workflows.reset),
    "terminate": ("TerminateWorkflow", workflows.terminate),
    "delete": ("DeleteWorkflow", workflows.delete),
}


def history(request: pb.GetWorkflowHistoryRequest, _: Surroundings) -> HistoryRequest:
    """A question for a page of a workflow's events."""
    return HistoryRequest(
        _subject(request.id, request.user_id),
        newest_first(request.order),
        types(request.types, "types"),
        request.page_size,
        request.cursor,
    )


def as_of(request: pb.GetWorkflowAsOfRequest, _: Surroundings) -> AsOfRequest:
    """A question for a workflow at a moment."""
    return AsOfRequest(_subject(request.id, request.user_id), moment(request))


def diff(request: pb.DiffWorkflowRequest, _: Surroundings) -> DiffRequest:
    """A question for what differs between two versions."""
    subject = _subject(request.id, request.user_id)
    return DiffRequest(subject, request.from_version, request.to_version)


def list_as_of(request: pb.ListWorkflowsAsOfRequest, surroundings: Surroundings) -> ListAsOfRequest:
    """A question for a page of a user's list at a moment."""
    filters = workflows.filters_of(request.filters)
    at = moment(request)
    return ListAsOfRequest.checked(
        request.user_id, at, filters, request.cursor, surroundings.catalogue
    )


def what_if(request: pb.WhatIfRequest, surroundings: Surroundings) -> WhatIfRequest:
    """A question for what a command would record."""
    name = request.WhichOneof("command")
    if name is None:
        raise InvalidFields([Violation("command", _NO_COMMAND)])
    method, convert = _COMMANDS[name]
    try:
        asked: Command | InvalidFields = convert(getattr(request, name), surroundings)
    except InvalidFields as refused:
        asked = refused
    return WhatIfRequest(asked, method, moment(request))


def commanded_for(request: pb.WhatIfRequest) -> str:
    """The owner whom the command of a WhatIf names; empty if it names none."""
    name = request.WhichOneof("command")
    return str(getattr(request, name).user_id) if name else ""


def proof(request: pb.GetProofRequest, _: Surroundings) -> ProofRequest:
    """A question for the proof of an event."""
    return ProofRequest(request.position, request.user_id)


def checkpoint(request: pb.GetCheckpointRequest, _: Surroundings) -> CheckpointRequest:  # noqa: ARG001 - as each row's
    """A question for the newest checkpoint."""
    return CheckpointRequest()


def moment(request: Message) -> Moment:
    """The moment in a request. Raises InvalidFields for a time that is none."""
    given: pb.Moment = request.moment  # type: ignore[attr-defined] # each of ours has it
    match given.WhichOneof("at"):
        case "time":
            return AtTime(time(given.time, "moment.time"))
        case "position":
            return AtPosition(given.position)
        case "version":
            return AtVersion(given.version)
    return None


def time(given: Timestamp, field: str) -> datetime:
    """A time in UTC. Raises InvalidFields, which names the field."""
    try:
        return given.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidFields([Violation(field, _NO_TIME)]) from None


def newest_first(order: int) -> bool:
    """Whether an order begins with the newest. Raises InvalidFields."""
    if order not in pb.Order.values():
        raise InvalidFields([Violation("order", _NO_ORDER)])
    return order != pb.ORDER_OLDEST_FIRST


def types(given: Iterable[int], field: str) -> frozenset[str]:
    """Types of events by their names, none if any will do. Raises InvalidFields."""
    known: dict[int, str] = dict(zip(pb.EventType.values(), pb.EventType.keys(), strict=True))
    if not known.keys() >= set(given):
        raise InvalidFields([Violation(field, _NO_TYPE)])
    wanted = {known[each].removeprefix(_PREFIX).lower() for each in given}
    return frozenset() if "unspecified" in wanted else frozenset(wanted)


def _subject(workflow_id: str, user_id: str) -> Subject:
    return Subject(workflows.workflow_id(workflow_id), user_id)
