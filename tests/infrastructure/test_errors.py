"""The error map: the reply to a client for each refusal and fault, row by row."""

import inspect
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status

from application import access, draft, erasure, exports, handler, watches
from application.history import proofs
from application.ports import troubles
from domain import errors as domain
from infrastructure.contract import DETAILS_KEY, SERVICE
from infrastructure.lanes import refusals as lanes
from infrastructure.rpc import allowance
from infrastructure.rpc import details as rpc
from infrastructure.rpc.details import Undecodable
from infrastructure.rpc.errors import RULES, refusal_of
from infrastructure.rpc.refusal import PUSHBACK
from infrastructure.wire import calls

ID = "0199c0de-0000-7000-8000-000000000001"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Code = grpc.StatusCode

_RETRY = details.RetryInfo()
_RETRY.retry_delay.FromMilliseconds(200)
_LATER = details.RetryInfo()  # A delay that varies, and the same for gRPC's own retries.
_BAD = details.BadRequest()
_BAD.field_violations.add(field="name", description="name is empty")
_UNREADABLE = details.BadRequest()
_UNREADABLE.field_violations.add(
    field="request",
    description="The request is no valid message of this method: check the client's contract.",
)


def _resource(error: Exception) -> Message:
    info: Message = details.ResourceInfo(
        resource_type="workflow", resource_name=ID, description=str(error)
    )
    return info


def _precondition(kind: str, error: Exception) -> Message:
    failure: Message = details.PreconditionFailure(
        violations=[
            details.PreconditionFailure.Violation(
                type=kind, subject=f"workflows/{ID}", description=str(error)
            )
        ]
    )
    return failure


_NOT_FOUND = domain.WorkflowNotFound(ID)
_EXISTS = domain.WorkflowExists(ID)
_REUSED = domain.IdempotencyKeyReused(ID)
_TERMINATED = domain.WorkflowTerminated(ID, NOW)
_STALE = domain.StaleGeneration(ID, 1, 2)

# An error; its code, its reason, the details beside ErrorInfo, and whether clients see its text.
Row = tuple[Exception, grpc.StatusCode, str, list[Message], bool]

_HOLD = erasure.Hold("case 7", "the court", datetime(2026, 1, 2, tzinfo=UTC))


def _of_user(reason: str, error: Exception) -> Message:
    violation = details.PreconditionFailure.Violation(
        type=reason, subject="user", description=refusal_of(error).message
    )
    failure: Message = details.PreconditionFailure(violations=[violation])
    return failure


def _not_provable(text: str) -> Message:
    violation = details.PreconditionFailure.Violation(
        type="NOT_PROVABLE", subject="log", description=text
    )
    failure: Message = details.PreconditionFailure(violations=[violation])
    return failure


ROWS: list[Row] = [
    (
        domain.InvalidFields([domain.Violation("name", "is empty")]),
        Code.INVALID_ARGUMENT,
        "INVALID_FIELDS",
        [_BAD],
        True,
    ),
    (Undecodable(), Code.INVALID_ARGUMENT, "UNDECODABLE_REQUEST", [_UNREADABLE], False),
    (access.Unauthenticated("No."), Code.UNAUTHENTICATED, "UNAUTHENTICATED", [], True),
    (access.NotPermitted(), Code.PERMISSION_DENIED, "NOT_PERMITTED", [], False),
    (_NOT_FOUND, Code.NOT_FOUND, "WORKFLOW_NOT_FOUND", [_resource(_NOT_FOUND)], True),
    (_EXISTS, Code.ALREADY_EXISTS, "WORKFLOW_EXISTS", [_resource(_EXISTS)], True),
    (_REUSED, Code.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED", [_resource(_REUSED)], True),
    (
        _TERMINATED,
        Code.FAILED_PRECONDITION,
        "WORKFLOW_TERMINATED",
        [_precondition("WORKFLOW_TERMINATED", _TERMINATED)],
        True,
    ),
    (
        _STALE,
        Code.FAILED_PRECONDITION,
        "STALE_GENERATION",
        [_precondition("STALE_GENERATION", _STALE)],
        True,
    ),
    (calls.NoMessage("One."), Code.UNIMPLEMENTED, "NO_MESSAGE", [], True),
    (calls.LateMessage("Late."), Code.DEADLINE_EXCEEDED, "LATE_MESSAGE", [], True),
    (calls.TooMuchMetadata("9."), Code.RESOURCE_EXHAUSTED, "TOO_MUCH_METADATA", [], True),
    (calls.TooManyCalls("Many."), Code.UNAVAILABLE, "TOO_MANY_CALLS", [_LATER], True),
    (calls.UnreadAnswers("Read."), Code.RESOURCE_EXHAUSTED, "UNREAD_ANSWERS", [_LATER], True),
    (calls.MethodBroke("x"), Code.INTERNAL, "INTERNAL", [], False),
    (handler.Contended("x"), Code.ABORTED, "CONTENDED", [_RETRY], False),
    (lanes.Overloaded("x"), Code.UNAVAILABLE, "OVERLOADED", [_LATER], False),
    (lanes.ShareExceeded("x"), Code.RESOURCE_EXHAUSTED, "SHARE_EXCEEDED", [_LATER], False),
    (allowance.RateExceeded(1.0), Code.RESOURCE_EXHAUSTED, "RATE_EXCEEDED", [_LATER], False),
    (lanes.Draining("x"), Code.UNAVAILABLE, "DRAINING", [_RETRY], False),
    (lanes.DeadlinePassed("x"), Code.DEADLINE_EXCEEDED, "DEADLINE_PASSED", [], False),
    (lanes.CallerLeft("x"), Code.CANCELLED, "CALLER_LEFT", [], False),
    (lanes.WorkFailed("x"), Code.INTERNAL, "INTERNAL", [], False),
    (troubles.StoreUnavailable(), Code.UNAVAILABLE, "STORE_UNAVAILABLE", [_RETRY], False),
    (
        troubles.StoreUnavailable("It cannot", reason="STORE_FULL", retry=False),
        Code.UNAVAILABLE,
        "STORE_FULL",
        [],
        False,
    ),
    (troubles.SearchTooBroad("x"), Code.RESOURCE_EXHAUSTED, "SEARCH_TOO_BROAD", [], False),
    (exports.PackTooLarge(), Code.RESOURCE_EXHAUSTED, "PACK_TOO_LARGE", [], False),
    (troubles.TimeNotFound("x"), Code.UNAVAILABLE, "TIME_NOT_FOUND", [_RETRY], False),
    (troubles.OutcomeUnknown("x"), Code.UNAVAILABLE, "OUTCOME_UNKNOWN", [_RETRY], False),
    (troubles.StoredDataDamaged("x"), Code.DATA_LOSS, "STORED_DATA_DAMAGED", [], False),
    *(
        (error, Code.FAILED_PRECONDITION, reason, [_of_user(reason, error)], reason == "USER_HELD")
        for error, reason in (
            (troubles.UserBeingErased(), "USER_BEING_ERASED"),
            (erasure.UserHeld(_HOLD), "USER_HELD"),
            (erasure.NotHeld(), "USER_NOT_HELD"),
        )
    ),
    (erasure.ErasesElsewhere(), Code.FAILED_PRECONDITION, "ERASES_ELSEWHERE", [], False),
    (
        proofs.NotProvable("No log."),
        Code.FAILED_PRECONDITION,
        "NOT_PROVABLE",
        [_not_provable("No log.")],
        True,
    ),
    (watches.WatchTooSlow("c"), Code.RESOURCE_EXHAUSTED, "WATCH_TOO_SLOW", [_RETRY], False),
    (watches.WatchStopped("c"), Code.UNAVAILABLE, "DRAINING", [_RETRY], False),
    (watches.FeedReplaced(), Code.FAILED_PRECONDITION, "FEED_REPLACED", [], False),
    (watches.TooManyWatches(), Code.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHES", [_RETRY], False),
    (troubles.AppendRefused("x"), Code.INTERNAL, "APPEND_REFUSED", [], False),
]
METADATA: dict[type[Exception], dict[str, str]] = {
    domain.StaleGeneration: {"given": "1", "current": "2"},
    watches.WatchTooSlow: {"cursor": "c"},
    watches.WatchStopped: {"cursor": "c"},
}
WITHOUT_ROW = {
    domain.WorkflowError,
    calls.NotServed,
    access.NoRule,
    troubles.ContentAltered,
    watches.WatchEnded,
}
"""Errors that are never raised themselves, or at a start only; or that leave as their kind does."""


def told(error: Exception) -> tuple[grpc.StatusCode, str, Status]:
    """What leaves for an error: its code and text, and the status of its details."""
    refusal = refusal_of(error)
    *others, (key, value) = refusal.trailing()
    assert key == DETAILS_KEY
    status = Status.FromString(value)
    resumes = [error.cursor] if isinstance(error, watches.WatchEnded) else []
    expected = [("x-resume-cursor", cursor) for cursor in resumes]
    if refusal.again_in:
        delay = unpacked(status)[-1].retry_delay.ToMilliseconds()
        assert 1000 <= delay <= 2000
        expected.append((PUSHBACK, str(delay)))
    assert others == expected
    return refusal.code, refusal.text(), status


def unpacked(status: Status) -> list[Any]:
    """The details of a status."""
    kinds = {kind.DESCRIPTOR.full_name: kind for kind in (
        details.BadRequest, details.ErrorInfo, details.PreconditionFailure,
        details.ResourceInfo, details.RetryInfo,
    )}  # fmt: skip
    return [kinds[each.TypeName()].FromString(each.value) for each in status.details]


def is_later(detail: Any) -> bool:
    """Whether a detail asks a client that met a bound to wait."""
    return isinstance(detail, details.RetryInfo) and detail != _RETRY


@pytest.mark.parametrize(
    ("error", "code", "reason", "expected", "own_text"),
    ROWS,
    ids=[type(row[0]).__name__ for row in ROWS],
)
def test_a_row_of_the_error_map(
    error: Exception, code: grpc.StatusCode, reason: str, expected: list[Message], own_text: bool
) -> None:
    assert type(error) in RULES
    told_code, text, status = told(error)
    assert (told_code, status.code, status.message) == (code, code.value[0], text)
    info, *others = unpacked(status)
    assert info == details.ErrorInfo(
        reason=reason, domain=SERVICE.full_name, metadata=METADATA.get(type(error), {})
    )
    assert [_LATER if is_later(each) else each for each in others] == expected
    assert (text == str(error)) is own_text
    assert text.endswith((".", "empty"))
    if isinstance(error, troubles.StoreUnavailable):
        assert text.endswith("Try again.") is error.retry


def test_every_error_of_the_house_has_a_row_that_is_asserted() -> None:
    asserted = {type(row[0]) for row in ROWS}
    assert asserted == RULES.keys()
    ours = (
        access, domain, troubles, draft, erasure, exports, handler, proofs, watches, lanes, rpc,
        allowance, calls,
    )  # fmt: skip
    assert _errors_in(*ours) - WITHOUT_ROW == asserted


def _errors_in(*modules: ModuleType) -> set[type[Exception]]:
    return {
        each
        for module in modules
        for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, Exception) and each.__module__ == module.__name__
    }


def test_an_error_without_a_row_is_internal_and_the_client_learns_nothing_of_it() -> None:
    code, text, status = told(KeyError("password"))
    assert (code, status.code) == (Code.INTERNAL, Code.INTERNAL.value[0])
    assert text == "The service failed to handle this call; it was logged."
    assert b"password" not in status.SerializeToString()


def test_a_kind_of_an_error_has_the_row_of_that_error() -> None:
    class Moved(domain.WorkflowNotFound):
        pass

    assert told(Moved(ID))[0] is Code.NOT_FOUND


def test_a_refusal_because_of_a_user_is_cut_after_400_characters() -> None:
    held = erasure.UserHeld(erasure.Hold("x" * 1000, "the court", datetime.now(UTC)))
    assert len(refusal_of(held).message) == 400


def test_a_status_stays_within_what_the_wire_carries() -> None:
    many = [domain.Violation("f" * n, "é" * 300) for n in range(1, 50)]
    _, text, status = told(domain.InvalidFields(many))
    bad = unpacked(status)[1]
    assert text.startswith(f"f {'é' * 300}; ff é")
    assert len(text.encode()) == 1023  # A character of two bytes does not fit into the last one.
    assert len(bad.field_violations) == 20
    assert {len(each.description) for each in bad.field_violations} == {200}
