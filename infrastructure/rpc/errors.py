"""The error map: which gRPC status each refusal and each fault becomes."""

from collections.abc import Callable
from typing import Any

from application.access import NotPermitted, Unauthenticated
from application.erasure import ErasesElsewhere, NotHeld, UserHeld
from application.exports import MOST_EVENTS, PackTooLarge
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
from application.watches import (
    FeedReplaced,
    TooManyWatches,
    WatchStopped,
    WatchTooSlow,
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
from infrastructure.rpc import details
from infrastructure.rpc.allowance import RateExceeded
from infrastructure.rpc.details import SOON, Undecodable
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

_BOUND_AGAIN_IN = 1.0  # seconds after which a call that met a bound may be tried again


def refusal_of(error: Exception) -> Refusal:
    """The refusal for an error. If an error has no row, the client learns nothing of it."""
    for kind in type(error).__mro__:
        if rule := RULES.get(kind):
            return rule(error)
    return _internal(error)


def _store_unavailable(error: StoreUnavailable) -> Refusal:
    hint = " Try again." if error.retry else ""
    message = f"{error}; nothing was recorded.{hint}"
    return Refusal(Code.UNAVAILABLE, message, error.reason, [SOON] if error.retry else [])


def _always(code: Code, reason: str, message: str, *, retry: bool) -> Callable[[Any], Refusal]:
    refusal = Refusal(code, message, reason, [SOON] if retry else [])
    return lambda _: refusal


def _unauthenticated(error: Unauthenticated) -> Refusal:
    return Refusal(Code.UNAUTHENTICATED, str(error), "UNAUTHENTICATED")


def _not_served(reason: NotServed) -> Refusal:
    again_in = _BOUND_AGAIN_IN if reason.retry else 0.0
    return Refusal(reason.code, str(reason), reason.reason, again_in=again_in)


def _bounded(code: Code, reason: str, message: str) -> Callable[[Any], Refusal]:
    refusal = Refusal(code, message, reason, again_in=_BOUND_AGAIN_IN)
    return lambda _: refusal


def _rate_exceeded(error: RateExceeded) -> Refusal:
    message = (
        "The caller has used up what its calls may cost for now; nothing was recorded."
        f" Try again in {error.again_in:.1f} s, with fewer calls."
    )
    return Refusal(Code.RESOURCE_EXHAUSTED, message, "RATE_EXCEEDED", again_in=error.again_in)


_internal = _always(
    Code.INTERNAL,
    "INTERNAL",
    "The service failed to handle this call; it was logged.",
    retry=False,
)

RULES: dict[type[BaseException], Callable[[Any], Refusal]] = {
    InvalidFields: details.invalid,
    Undecodable: details.undecodable,
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
    WorkflowNotFound: details.not_found,
    WorkflowExists: details.exists,
    IdempotencyKeyReused: details.key_reused,
    WorkflowTerminated: details.terminated,
    StaleGeneration: details.stale,
    UserBeingErased: details.being_erased,
    NotProvable: details.not_provable,
    UserHeld: lambda held: details.of_user("USER_HELD", str(held)),
    NotHeld: lambda _: details.of_user(
        "USER_NOT_HELD", "This user is not held, so nothing was released."
    ),
    ErasesElsewhere: _always(
        Code.FAILED_PRECONDITION,
        "ERASES_ELSEWHERE",
        "This server keeps no receipts, so it erases nobody. Ask the one that runs the followers.",
        retry=False,
    ),
    Contended: _always(
        Code.ABORTED,
        "CONTENDED",
        "The workflow kept changing under this call; nothing was recorded. Try again.",
        retry=True,
    ),
    Overloaded: _bounded(
        Code.UNAVAILABLE,
        "OVERLOADED",
        "Too many calls wait; nothing was recorded. Try again later.",
    ),
    ShareExceeded: _bounded(
        Code.RESOURCE_EXHAUSTED,
        "SHARE_EXCEEDED",
        "Too many calls of this client wait; nothing was recorded."
        " Try again later, with fewer or smaller calls at a time.",
    ),
    RateExceeded: _rate_exceeded,
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
    PackTooLarge: _always(
        Code.RESOURCE_EXHAUSTED,
        "PACK_TOO_LARGE",
        f"A pack holds at most {MOST_EVENTS:,} events, and more match. Ask for several packs, with"
        " since and until.",
        retry=False,
    ),
    TimeNotFound: _always(
        Code.UNAVAILABLE,
        "TIME_NOT_FOUND",
        "The place of this time in the feed is not indexed yet. Try again later, or ask for a"
        " position.",
        retry=True,
    ),
    WatchTooSlow: details.watch_ended(
        Code.RESOURCE_EXHAUSTED,
        "WATCH_TOO_SLOW",
        "This client reads more slowly than events come."
        " Watch again with the cursor of the last response that it read.",
    ),
    WatchStopped: details.watch_ended(
        Code.UNAVAILABLE,
        "DRAINING",
        "This server is stopping. Watch again at another one, with the cursor in x-resume-cursor.",
    ),
    FeedReplaced: _always(
        Code.FAILED_PRECONDITION,
        "FEED_REPLACED",
        "The database was restored or replaced, and positions mean something else now."
        " Watch again without a cursor.",
        retry=False,
    ),
    TooManyWatches: _always(
        Code.RESOURCE_EXHAUSTED,
        "TOO_MANY_WATCHES",
        "This caller, or this server, has as many watches as it may have. End some of them first.",
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
