"""The refusals that tell more than a sentence: which field, which workflow, what would be right."""

from collections.abc import Callable, Iterable

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details

from application.history.proofs import NotProvable
from application.ports import UserBeingErased
from application.watches import WatchEnded
from domain.errors import (
    IdempotencyKeyReused,
    InvalidFields,
    StaleGeneration,
    WorkflowExists,
    WorkflowNotFound,
    WorkflowTerminated,
)
from infrastructure.contract import RESUME_KEY
from infrastructure.rpc.refusal import Code, Refusal

MAX_VIOLATIONS = 20
MAX_VIOLATION = 200  # characters
MAX_MESSAGE = 400  # characters
SOON = details.RetryInfo(retry_delay=Duration(nanos=200_000_000))
"""The same call may succeed a little later."""


class Undecodable(Exception):
    """The request's bytes are no message of this method."""


def invalid(error: InvalidFields) -> Refusal:
    """Names every field that is wrong, up to MAX_VIOLATIONS."""
    shown = error.violations[:MAX_VIOLATIONS]
    bad = _bad_request((v.field, f"{v.field} {v.reason}"[:MAX_VIOLATION]) for v in shown)
    message = "; ".join(f"{v.field} {v.reason}" for v in shown)
    return Refusal(Code.INVALID_ARGUMENT, message, "INVALID_FIELDS", [bad])


def undecodable(_: Undecodable) -> Refusal:
    """Says nothing of the bytes."""
    sentence = "The request is no valid message of this method: check the client's contract."
    bad = _bad_request([("request", sentence)])
    return Refusal(Code.INVALID_ARGUMENT, sentence, "UNDECODABLE_REQUEST", [bad])


def not_found(error: WorkflowNotFound) -> Refusal:
    """Names the id that was asked for."""
    return _of_workflow(Code.NOT_FOUND, error.workflow_id, "WORKFLOW_NOT_FOUND", str(error))


def exists(error: WorkflowExists) -> Refusal:
    """Names the workflow that has the id."""
    return _of_workflow(Code.ALREADY_EXISTS, error.workflow_id, "WORKFLOW_EXISTS", str(error))


def key_reused(error: IdempotencyKeyReused) -> Refusal:
    """Names the workflow that the key created."""
    return _of_workflow(
        Code.ALREADY_EXISTS, error.workflow_id, "IDEMPOTENCY_KEY_REUSED", str(error)
    )


def terminated(error: WorkflowTerminated) -> Refusal:
    """Names the workflow that must not be terminated."""
    return _precondition("WORKFLOW_TERMINATED", f"workflows/{error.workflow_id}", str(error))


def stale(error: StaleGeneration) -> Refusal:
    """Gives both generations, also as metadata for machines."""
    return _precondition(
        "STALE_GENERATION",
        f"workflows/{error.workflow_id}",
        str(error),
        given=str(error.given),
        current=str(error.current),
    )


def of_user(reason: str, message: str) -> Refusal:
    """A refusal because of the user whom the request names; the user is not named again."""
    return _precondition(reason, "user", message[:MAX_MESSAGE])


def being_erased(_: UserBeingErased) -> Refusal:
    """Says when the user may begin anew."""
    message = (
        "This user is being erased; nothing was recorded."
        " When that is complete, the user may begin anew."
    )
    return of_user("USER_BEING_ERASED", message)


def not_provable(error: NotProvable) -> Refusal:
    """Says what the log lacks."""
    return _precondition("NOT_PROVABLE", "log", str(error))


def watch_ended(code: Code, reason: str, message: str) -> Callable[[WatchEnded], Refusal]:
    """Gives the cursor that resumes the watch, as metadata for machines too."""

    def rule(error: WatchEnded) -> Refusal:
        cursor = error.cursor
        return Refusal(code, message, reason, [SOON], {"cursor": cursor}, ((RESUME_KEY, cursor),))

    return rule


def _bad_request(violations: Iterable[tuple[str, str]]) -> Message:
    """Pairs of a field and a description."""
    bad: Message = details.BadRequest(
        field_violations=[
            details.BadRequest.FieldViolation(field=field, description=description)
            for field, description in violations
        ]
    )
    return bad


def _of_workflow(code: Code, workflow_id: str, reason: str, message: str) -> Refusal:
    info = details.ResourceInfo(
        resource_type="workflow", resource_name=workflow_id, description=message
    )
    return Refusal(code, message, reason, [info])


def _precondition(reason: str, subject: str, message: str, **metadata: str) -> Refusal:
    failure = details.PreconditionFailure(
        violations=[
            details.PreconditionFailure.Violation(type=reason, subject=subject, description=message)
        ]
    )
    return Refusal(Code.FAILED_PRECONDITION, message, reason, [failure], metadata)
