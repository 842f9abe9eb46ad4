"""given(history).when(command): the words of a domain test, and examples to say them with.

Histories happen at NOW, commands arrive LATER, so that a time shows to which of the two it belongs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.commands import (
    Command,
    CreateWorkflow,
    DeleteWorkflow,
    IncrementFailures,
    ResetFailures,
    TerminateWorkflow,
    UpdateBuildStatus,
    UpdateWorkflow,
)
from domain.errors import InvalidFields
from domain.events import (
    REQUESTED,
    BuildStatusChanged,
    Created,
    Deleted,
    FailureIncremented,
    Reset,
    Terminated,
    Updated,
    WorkflowEvent,
)
from domain.workflow import Workflow, decide, replay
from infrastructure.catalogue.loading import load

NOW = datetime(2026, 11, 22, 11, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
ID = "0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f"
OTHER_ID = "0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e70"
OWNER = "alice"
OTHER_USER = "mallory"
ANYBODY = ""

CATALOGUE = load(None)

HTTP = '{"url": "https://example.com/hook"}'
OTHER_HTTP = '{"url": "https://example.com/other"}'


@dataclass(frozen=True)
class Given:
    """A workflow with a history."""

    history: Sequence[WorkflowEvent]

    def when(self, command: Command) -> Sequence[WorkflowEvent]:
        """What follows from a command."""
        return decide(replay(self.history), command)


def given(*history: WorkflowEvent) -> Given:
    """A workflow to which all this has happened."""
    return Given(history)


def workflow(*history: WorkflowEvent) -> Workflow:
    """The state that a history leads to."""
    state = replay(history)
    assert state is not None
    return state


def fields_refused(request: Callable[[], object]) -> Sequence[str]:
    """The fields that a refusal names, in order; for each it gives what is accepted."""
    with pytest.raises(InvalidFields) as refusal:
        request()
    assert all(violation.reason for violation in refusal.value.violations)
    return [violation.field for violation in refusal.value.violations]


_CREATED = Created(
    user_id=OWNER,
    name="nightly",
    payload=HTTP,
    kind="http",
    interval=5,
    max_failures=3,
    log_retention=True,
    build_status="pending",
    at=NOW,
)
_UPDATED = Updated(
    name="nightly",
    payload=HTTP,
    interval=5,
    max_failures=3,
    build_status="pending",
    generation=1,
    at=NOW,
)
_CREATE = CreateWorkflow(
    id=ID,
    user_id=OWNER,
    name="nightly",
    payload=HTTP,
    kind="http",
    interval=5,
    max_consecutive_job_failures_allowed=3,
    log_retention=True,
    idempotency_key="",
    now=NOW,
    catalogue=CATALOGUE,
)
_UPDATE = UpdateWorkflow(
    id=ID,
    user_id=OWNER,
    name="nightly",
    payload=HTTP,
    interval=5,
    max_consecutive_job_failures_allowed=3,
    idempotency_key="",
    now=LATER,
    catalogue=CATALOGUE,
)
_BUILD = UpdateBuildStatus(
    id=ID, user_id=OWNER, build_status="building", generation=0, now=LATER, catalogue=CATALOGUE
)
_INCREMENT = IncrementFailures(
    id=ID, user_id=OWNER, job_id="", terminate_at_threshold=True, now=LATER
)
_RESET = ResetFailures(id=ID, user_id=OWNER, now=LATER)
_TERMINATE = TerminateWorkflow(id=ID, user_id=OWNER, now=LATER)
_DELETE = DeleteWorkflow(id=ID, user_id=OWNER, now=LATER)


def created(**differing: Any) -> Created:
    """The example workflow's creation: alice's "nightly", http, every 5 minutes, 3 failures."""
    return replace(_CREATED, **differing)


def updated(**differing: Any) -> Updated:
    """An update of the example workflow, to what it was created as if nothing differs."""
    return replace(_UPDATED, **differing)


def built(status: str, generation: int = 1, at: datetime = NOW) -> BuildStatusChanged:
    """A change of the build's status."""
    return BuildStatusChanged(build_status=status, generation=generation, at=at)


def failed(failures: int, job_id: str = "", at: datetime = NOW) -> FailureIncremented:
    """A failed job, the `failures`-th in a row."""
    return FailureIncremented(failures=failures, job_id=job_id, at=at)


def reset(at: datetime = NOW) -> Reset:
    """A reset of the count."""
    return Reset(at=at)


def terminated(reason: str = REQUESTED, job_id: str = "", at: datetime = NOW) -> Terminated:
    """The end of the active life."""
    return Terminated(reason=reason, job_id=job_id, at=at)


def deleted(at: datetime = NOW) -> Deleted:
    """The deletion."""
    return Deleted(at=at)


def create(**differing: Any) -> CreateWorkflow:
    """The command that leads to created()."""
    return replace(_CREATE, **differing)


def update(**differing: Any) -> UpdateWorkflow:
    """A replacement of the example workflow by itself, if nothing differs."""
    return replace(_UPDATE, **differing)


def build_status(status: str, **differing: Any) -> UpdateBuildStatus:
    """A report of the build's status, unguarded if nothing differs."""
    return replace(_BUILD, build_status=status, **differing)


def increment(**differing: Any) -> IncrementFailures:
    """A failed job without an id, terminating at the maximum, if nothing differs."""
    return replace(_INCREMENT, **differing)


def reset_failures(**differing: Any) -> ResetFailures:
    """A reset by the owner."""
    return replace(_RESET, **differing)


def terminate(**differing: Any) -> TerminateWorkflow:
    """A termination by the owner."""
    return replace(_TERMINATE, **differing)


def delete(**differing: Any) -> DeleteWorkflow:
    """A deletion by the owner."""
    return replace(_DELETE, **differing)
