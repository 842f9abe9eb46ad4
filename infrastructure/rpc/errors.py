"""The error map: which gRPC status each refusal and each fault becomes, with its details."""

from collections.abc import Callable
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details

from application.access import NotPermitted, Unauthenticated
from application.erasure import NotHeld, UserHeld
from application.handler import Contended
from application.history.proofs import NotProvable
from application.ports import (
    AppendRefused,
    OutcomeUnknown,
    SearchTooBroad,
    StoredDataDamaged,
    StoreUnavailable,
    TimeNotFound,
    UserBeingErased,
)
from domain.errors import (
    IdempotencyKeyReused,
    InvalidFields,
    StaleGeneration,
    WorkflowExists,
    WorkflowNotFound,
    WorkflowTerminated,
)
from infrastructure.lanes.refusals import (
    CallerLeft,
    DeadlinePassed,
    Draining,
    Overloaded,
    ShareExceeded,
    WorkFailed,
)
from infrastructure.rpc.refusal import Code, Refusal
from infrastructure.wire.calls import (
    LateMessage,
    MethodBroke,
    NoMessage,
    NotServed,
    TooManyCalls,
    TooMuchMetadata,
    UnreadAnswers,
)

MAX_VIOLATIONS = 20
MAX_VIOLATION = 200  # characters
MAX_MESSAGE = 400  # characters
_SOON = details.RetryInfo(retry_delay=Duration(nanos=200_000_000))


class Undecodable(Exception):
    """The request's bytes are no message of this method."""


def refusal_of(error: Exception) -> Refusal:
    """The refusal for an error. If an error has no row, the client learns nothing of it."""
    for kind in type(error).__mro__:
        if rule := RULES.get(kind):
            return rule(error)
    return _internal(error)


def _invalid(error: InvalidFields) -> Refusal:
    shown = error.violations[:MAX_VIOLATIONS]
    bad = details.BadRequest(
        field_violations=[
            details.BadRequest.FieldViolation(
                field=v.field, description=f"{v.field} {v.reason}"[:MAX_VIOLATION]
            )
            for v in shown
        ]
    )
    message = "; ".join(f"{v.field} {v.reason}" for v in shown)
    return Refusal(Code.INVALID_ARGUMENT, message, "INVALID_FIELDS", [bad])


def _undecodable(_: Undecodable) -> Refusal:
    sentence = "The request is no valid message of this method: check the client's contract."
    bad = details.BadRequest(
        field_violations=[details.BadRequest.FieldViolation(field="request", description=sentence)]
    )
    return Refusal(Code.INVALID_ARGUMENT, sentence, "UNDECODABLE_REQUEST", [bad])


def _resource(workflow_id: str, description: str) -> Message:
    info: Message = details.ResourceInfo(
        resource_type="workflow", resource_name=workflow_id, description=description
    )
    return info


def _unauthenticated(error: Unauthenticated) -> Refusal:
    return Refusal(Code.UNAUTHENTICATED, str(error), "UNAUTHENTICATED")


def _not_found(error: WorkflowNotFound) -> Refusal:
    message = str(error)
    info = _resource(error.workflow_id, message)
    return Refusal(Code.NOT_FOUND, message, "WORKFLOW_NOT_FOUND", [info])


def _exists(error: WorkflowExists) -> Refusal:
    message = str(error)
    info = _resource(error.workflow_id, message)
    return Refusal(Code.ALREADY_EXISTS, message, "WORKFLOW_EXISTS", [info])


def _key_reused(error: IdempotencyKeyReused) -> Refusal:
    message = str(error)
    info = _resource(error.workflow_id, message)
    return Refusal(Code.ALREADY_EXISTS, message, "IDEMPOTENCY_KEY_REUSED", [info])


def _precondition(kind: str, workflow_id: str, message: str, **metadata: str) -> Refusal:
    failure = details.PreconditionFailure(
        violations=[
            details.PreconditionFailure.Violation(
                type=kind, subject=f"workflows/{workflow_id}", description=message
            )
        ]
    )
    return Refusal(Code.FAILED_PRECONDITION, message, kind, [failure], metadata)


def _terminated(error: WorkflowTerminated) -> Refusal:
    return _precondition("WORKFLOW_TERMINATED", error.workflow_id, str(error))


def _stale(error: StaleGeneration) -> Refusal:
    return _precondition(
        "STALE_GENERATION",
        error.workflow_id,
        str(error),
        given=str(error.given),
        current=str(error.current),
    )


def _of_user(reason: str, message: str) -> Refusal:
    """A refusal because of the user whom the request names; the user is not named again."""
    failure = details.PreconditionFailure(
        violations=[
            details.PreconditionFailure.Violation(
                type=reason, subject="user", description=message[:MAX_MESSAGE]
            )
        ]
    )
    return Refusal(Code.FAILED_PRECONDITION, message[:MAX_MESSAGE], reason, [failure])


def _being_erased(_: UserBeingErased) -> Refusal:
    message = (
        "This user is being erased; nothing was recorded."
        " When that is complete, the user may begin anew."
    )
    return _of_user("USER_BEING_ERASED", message)


def _not_provable(error: NotProvable) -> Refusal:
    failure = details.PreconditionFailure(
        violations=[
            details.PreconditionFailure.Violation(
                type="NOT_PROVABLE", subject="log", description=str(error)
            )
        ]
    )
    return Refusal(Code.FAILED_PRECONDITION, str(error), "NOT_PROVABLE", [failure])


def _not_served(reason: NotServed) -> Refusal:
    return Refusal(reason.code, str(reason), reason.reason, [_SOON] if reason.retry else [])


def _store_unavailable(error: StoreUnavailable) -> Refusal:
    hint = " Try again." if error.retry else ""
    message = f"{error}; nothing was recorded.{hint}"
    return Refusal(Code.UNAVAILABLE, message, error.reason, [_SOON] if error.retry else [])


def _always(code: Code, reason: str, message: str, *, retry: bool) -> Callable[[Any], Refusal]:
    refusal = Refusal(code, message, reason, [_SOON] if retry else [])
    return lambda _: refusal


_internal = _always(
    Code.INTERNAL,
    "INTERNAL",
    "The service failed to handle this call; it was logged.",
    retry=False,
)

RULES: dict[type[BaseException], Callable[[Any], Refusal]] = {
    InvalidFields: _invalid,
    Undecodable: _undecodable,
    NoMessage: _not_served,
    LateMessage: _not_served,
    TooMuchMetadata: _not_served,
    TooManyCalls: _not_served,
    UnreadAnswers: _not_served,
    MethodBroke: _internal,
    Unauthenticated: _unauthenticated,
    NotPermitted: _always(
        Code.PERMISSION_DENIED,
        "NOT_PERMITTED",
        "The caller may not do this: its role does not admit it, or user_id is another user's.",
        retry=False,
    ),
    WorkflowNotFound: _not_found,
    WorkflowExists: _exists,
    IdempotencyKeyReused: _key_reused,
    WorkflowTerminated: _terminated,
    StaleGeneration: _stale,
    UserBeingErased: _being_erased,
    NotProvable: _not_provable,
    UserHeld: lambda held: _of_user("USER_HELD", str(held)),
    NotHeld: lambda _: _of_user("USER_NOT_HELD", "This user is not held, so nothing was released."),
    Contended: _always(
        Code.ABORTED,
        "CONTENDED",
        "The workflow kept changing under this call; nothing was recorded. Try again.",
        retry=True,
    ),
    Overloaded: _always(
        Code.UNAVAILABLE,
        "OVERLOADED",
        "Too many calls wait; nothing was recorded. Try again later.",
        retry=True,
    ),
    ShareExceeded: _always(
        Code.RESOURCE_EXHAUSTED,
        "SHARE_EXCEEDED",
        "Too many calls of this client wait; nothing was recorded."
        " Try again later, with fewer or smaller calls at a time.",
        retry=True,
    ),
    WorkFailed: _internal,
    Draining: _always(
        Code.UNAVAILABLE,
        "DRAINING",
        "This server is stopping; nothing was recorded. Try again at another one.",
        retry=True,
    ),
    StoreUnavailable: _store_unavailable,
    SearchTooBroad: _always(
        Code.RESOURCE_EXHAUSTED,
        "SEARCH_TOO_BROAD",
        "This search is too broad to be answered in time."
        " Search for three or more characters that fewer names share, or add filters.",
        retry=False,
    ),
    TimeNotFound: _always(
        Code.UNAVAILABLE,
        "TIME_NOT_FOUND",
        "The place of this time in the feed is not indexed yet. Try again later, or ask for a"
        " position.",
        retry=True,
    ),
    OutcomeUnknown: _always(
        Code.UNAVAILABLE,
        "OUTCOME_UNKNOWN",
        "The database was lost while it recorded this call, so the outcome is unknown."
        " Try again with the same idempotency key or job id.",
        retry=True,
    ),
    DeadlinePassed: _always(
        Code.DEADLINE_EXCEEDED,
        "DEADLINE_PASSED",
        "The deadline passed before the call was decided; nothing was recorded.",
        retry=False,
    ),
    CallerLeft: _always(
        Code.CANCELLED,
        "CALLER_LEFT",
        "The call was cancelled before it was decided; nothing was recorded.",
        retry=False,
    ),
    StoredDataDamaged: _always(
        Code.DATA_LOSS,
        "STORED_DATA_DAMAGED",
        "The stored history of this workflow is damaged. Tell those who run the service.",
        retry=False,
    ),
    AppendRefused: _always(
        Code.INTERNAL,
        "APPEND_REFUSED",
        "The database refused to record this call; nothing was recorded. It was logged.",
        retry=False,
    ),
}
