"""Values, commands and events for property tests: everything drawn is within the contract.

Each strategy of a command or an event takes strategies for its fields by name, if a test wants
fewer values than the contract allows: `increments(id=just(ID), job_id=sampled_from(["a", "b"]))`.
"""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from domain import commands, events, fields
from domain.catalogue import Catalogue
from infrastructure.catalogue.loading import load

_PRINTABLE = st.characters(exclude_categories=("Cc", "Cs"))
_SHORT = st.text(_PRINTABLE, max_size=12)
_DIGITS = "0123456789abcdef"


@cache
def catalogue() -> Catalogue:
    """The default catalogue, by which everything is drawn."""
    return load(None)


def names() -> SearchStrategy[str]:
    """Names of workflows: mostly short, up to the longest, in any script."""
    texts = st.text(_PRINTABLE, min_size=1, max_size=fields.MAX_TEXT)
    return texts.filter(lambda text: fields.name(text) is None)


def owners() -> SearchStrategy[str]:
    """Users who may own a workflow."""
    return st.text(_PRINTABLE, min_size=1, max_size=12)


def keys() -> SearchStrategy[str]:
    """Idempotency keys and job ids; the empty one is none."""
    return _SHORT


@st.composite
def ids(draw: st.DrawFn) -> str:
    """Ids of workflows: UUIDs of version 7, in lower case."""
    digits = draw(st.text(_DIGITS, min_size=30, max_size=30))
    variant = draw(st.sampled_from("89ab"))
    return f"{digits[:8]}-{digits[8:12]}-7{digits[12:15]}-{variant}{digits[15:18]}-{digits[18:30]}"


def times() -> SearchStrategy[datetime]:
    """Moments in UTC, to the microsecond."""
    return st.datetimes(datetime(2020, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds the zone


def kinds() -> SearchStrategy[str]:
    """The known kinds."""
    return st.sampled_from(sorted(catalogue().kinds))


def build_statuses() -> SearchStrategy[str]:
    """The known build statuses."""
    return st.sampled_from(catalogue().build_statuses)


def intervals() -> SearchStrategy[int]:
    """Minutes between runs."""
    return st.integers(1, fields.MAX_INTERVAL)


def maxima() -> SearchStrategy[int]:
    """Consecutive failures that are allowed."""
    return st.integers(1, fields.MAX_FAILURES)


def generations() -> SearchStrategy[int]:
    """Generations of a workflow that exists."""
    return st.integers(1, fields.MAX_GENERATION)


def documents() -> SearchStrategy[dict[str, Any]]:
    """JSON objects of any content, far from the bounds of size and nesting."""
    leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | _SHORT
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    values = st.recursive(
        leaves | numbers,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_SHORT, inner, max_size=3),
        max_leaves=6,
    )
    return st.dictionaries(_SHORT, values, max_size=3)


def urls() -> SearchStrategy[str]:
    """Absolute http(s) URLs."""
    return st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(["http", "https", "HTTPS"]),
        st.sampled_from(
            ["example.com", "10.0.0.1", "[::1]", "user@localhost", "xn--bcher-kva.test"]
        ),
        st.just("") | st.integers(1, 65535).map(":{}".format),
        st.sampled_from(["", "/", "/hook?x=%20&y=1#z"]),
    )


def payloads(kind: str | None = None) -> SearchStrategy[str]:
    """JSON text that this kind accepts, or that some kind does; spaced and escaped in many ways."""
    if kind is None:
        return kinds().flatmap(payloads)
    timeouts = st.integers(1, 2**40) | st.floats(0.001, 1e9)
    needed: dict[str, SearchStrategy[dict[str, Any]]] = {
        "http": st.fixed_dictionaries({"url": urls()}, optional={"timeout": timeouts}),
        "script": st.just({}),
        "docker": st.fixed_dictionaries({"image": st.sampled_from(["alpine", "a/b:1.2@sha"])}),
    }
    anything = documents().map(lambda document: _without(document, "url", "timeout", "image"))
    return st.builds(
        lambda extra, own, escaped, indent: json.dumps(
            extra | own, ensure_ascii=escaped, indent=indent
        ),
        anything,
        needed[kind],
        st.booleans(),
        st.none() | st.integers(0, 2),
    )


def creates(**some: SearchStrategy[Any]) -> SearchStrategy[commands.CreateWorkflow]:
    """CreateWorkflow with a payload that fits its kind."""
    kind = some.get("kind", kinds())
    return kind.flatmap(lambda chosen: _creates_of(chosen, some))


def _creates_of(
    kind: str, some: dict[str, SearchStrategy[Any]]
) -> SearchStrategy[commands.CreateWorkflow]:
    own = {"payload": payloads(kind), "log_retention": st.none() | st.booleans(), **some}
    return st.builds(commands.CreateWorkflow, **(_asked() | own | {"kind": st.just(kind)}))


def updates(**some: SearchStrategy[Any]) -> SearchStrategy[commands.UpdateWorkflow]:
    """UpdateWorkflow with a payload that some kind accepts."""
    return st.builds(commands.UpdateWorkflow, **(_asked() | {"payload": payloads()} | some))


def build_status_updates(
    **some: SearchStrategy[Any],
) -> SearchStrategy[commands.UpdateBuildStatus]:
    """UpdateBuildStatus, mostly without a guard or with one that may well be current."""
    own = {
        "build_status": build_statuses(),
        "generation": st.integers(0, 3) | generations(),
        "catalogue": st.just(catalogue()),
    }
    return st.builds(commands.UpdateBuildStatus, **(_caller() | own | some))


def increments(**some: SearchStrategy[Any]) -> SearchStrategy[commands.IncrementFailures]:
    """IncrementFailures, with and without a job, with and without termination at the maximum."""
    own = {"job_id": keys(), "terminate_at_threshold": st.booleans()}
    return st.builds(commands.IncrementFailures, **(_caller() | own | some))


def resets(**some: SearchStrategy[Any]) -> SearchStrategy[commands.ResetFailures]:
    """ResetFailures."""
    return st.builds(commands.ResetFailures, **(_caller() | some))


def terminations(**some: SearchStrategy[Any]) -> SearchStrategy[commands.TerminateWorkflow]:
    """TerminateWorkflow."""
    return st.builds(commands.TerminateWorkflow, **(_caller() | some))


def deletions(**some: SearchStrategy[Any]) -> SearchStrategy[commands.DeleteWorkflow]:
    """DeleteWorkflow."""
    return st.builds(commands.DeleteWorkflow, **(_caller() | some))


def created_events(**some: SearchStrategy[Any]) -> SearchStrategy[events.Created]:
    """Created."""
    own = {
        "user_id": owners(),
        "payload": payloads(),
        "kind": kinds(),
        "log_retention": st.booleans(),
        "build_status": build_statuses(),
    }
    return st.builds(events.Created, **(_replaceable() | own | some))


def updated_events(**some: SearchStrategy[Any]) -> SearchStrategy[events.Updated]:
    """Updated."""
    own = {
        "payload": payloads(),
        "build_status": build_statuses(),
        "generation": generations(),
    }
    return st.builds(events.Updated, **(_replaceable() | own | some))


def workflow_events() -> SearchStrategy[events.WorkflowEvent]:
    """Any event, each kind of it as likely as the others."""
    at = times()
    return st.one_of(
        created_events(),
        updated_events(),
        st.builds(
            events.BuildStatusChanged,
            build_status=build_statuses(),
            generation=generations(),
            at=at,
        ),
        st.builds(
            events.FailureIncremented, failures=st.integers(1, 2**31 - 1), job_id=keys(), at=at
        ),
        st.builds(events.Reset, at=at),
        st.builds(
            events.Terminated,
            reason=st.sampled_from([events.REQUESTED, events.FAILURE_THRESHOLD]),
            job_id=keys(),
            at=at,
        ),
        st.builds(events.Deleted, at=at),
    )


def _caller() -> dict[str, SearchStrategy[Any]]:
    return {"id": ids(), "user_id": owners(), "now": times()}


def _asked() -> dict[str, SearchStrategy[Any]]:
    return _caller() | {
        "name": names(),
        "interval": intervals(),
        "max_consecutive_job_failures_allowed": maxima(),
        "idempotency_key": keys(),
        "catalogue": st.just(catalogue()),
    }


def _replaceable() -> dict[str, SearchStrategy[Any]]:
    return {"name": names(), "interval": intervals(), "max_failures": maxima(), "at": times()}


def _without(document: dict[str, Any], *keys_left_out: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys_left_out}
