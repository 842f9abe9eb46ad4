"""Why an event happened, in one sentence for people."""

from typing import assert_never

from domain.events import (
    FAILURE_THRESHOLD,
    BuildStatusChanged,
    Created,
    Deleted,
    FailureIncremented,
    Reset,
    Terminated,
    Updated,
    WorkflowEvent,
)
from domain.workflow import Workflow


def reason(before: Workflow | None, event: WorkflowEvent) -> str:
    """Why an event happened to a workflow in the state `before`."""
    match event:
        case Created():
            return f"created by request for {event.user_id}"
        case Updated():
            return _updated(before, event)
        case BuildStatusChanged():
            return f"the build of generation {event.generation} reached {event.build_status}"
        case FailureIncremented():
            return _failure(before, event.failures, event.job_id)
        case Reset():
            cleared = f" {before.failures}" if before else ""
            return f"the count of{cleared} failures was cleared by request"
        case Terminated(reason=cause) if cause == FAILURE_THRESHOLD:
            return _failure(before, before.failures if before else 0, event.job_id)
        case Terminated():
            return "terminated by request"
        case Deleted():
            return "deleted by request"
    assert_never(event)


def _updated(before: Workflow | None, event: Updated) -> str:
    if before is not None and before.terminated_at is not None:
        return f"updated by request, which made it active again: generation {event.generation}"
    if before is not None and before.generation != event.generation:
        return f"updated by request: generation {event.generation}"
    return "updated by request"


def _failure(before: Workflow | None, failures: int, job_id: str) -> str:
    of = f" of {before.max_failures}" if before else ""
    return f"failure {failures}{of} by {f'job {job_id}' if job_id else 'a job without an id'}"
