"""The life of a workflow: `decide` makes events from a command, `evolve` makes states from events.

Both are pure. `None` is the state before the creation. A deleted workflow has a state, too, so that
nothing can follow its deletion.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

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
from domain.errors import (
    StaleGeneration,
    WorkflowExists,
    WorkflowNotFound,
    WorkflowTerminated,
)
from domain.events import (
    FAILURE_THRESHOLD,
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
from domain.fields import refuse_invalid
from domain.values import value


@value()
class Workflow:
    """The state of a workflow after its events. `interval` is in minutes."""

    user_id: str
    name: str
    payload: str
    kind: str
    interval: int
    max_failures: int
    log_retention: bool
    build_status: str
    failures: int
    generation: int
    created_at: datetime
    updated_at: datetime
    terminated_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def threshold_reached(self) -> bool:
        """Whether the count of failures has reached its maximum."""
        return self.failures >= self.max_failures


def visible(workflow: Workflow | None, workflow_id: str, user_id: str) -> Workflow:
    """The workflow, if this user may see it; an empty `user_id` may see any.

    Raises WorkflowNotFound if it does not exist, is deleted, or is another user's. The three look
    alike, so that nobody learns of other users' workflows.
    """
    if workflow is None or workflow.deleted_at is not None:
        raise WorkflowNotFound(workflow_id)
    if user_id and user_id != workflow.user_id:
        raise WorkflowNotFound(workflow_id)
    return workflow


def decide(workflow: Workflow | None, command: Command) -> Sequence[WorkflowEvent]:
    """The events that follow from a command; none if the command changes nothing.

    Raises a WorkflowError if the command is refused.
    """
    if isinstance(command, CreateWorkflow):
        return _create(workflow, command)
    workflow = visible(workflow, command.id, command.user_id)
    match command:
        case UpdateWorkflow():
            return _update(workflow, command)
        case UpdateBuildStatus():
            return _update_build_status(_active(workflow, command.id), command)
        case IncrementFailures():
            return _increment(_active(workflow, command.id), command)
        case ResetFailures():
            return [Reset(at=command.now)] if _active(workflow, command.id).failures else []
        case TerminateWorkflow():
            if workflow.terminated_at is not None:
                return []
            return [Terminated(reason=REQUESTED, job_id="", at=command.now)]
        case DeleteWorkflow():
            return [Deleted(at=command.now)]
    assert_never(command)


def _active(workflow: Workflow, workflow_id: str) -> Workflow:
    if workflow.terminated_at is not None:
        raise WorkflowTerminated(workflow_id, workflow.terminated_at)
    return workflow


def _create(workflow: Workflow | None, command: CreateWorkflow) -> Sequence[WorkflowEvent]:
    if workflow is not None:
        raise WorkflowExists(command.id)
    return [
        Created(
            user_id=command.user_id,
            name=command.name,
            payload=command.payload,
            kind=command.kind,
            interval=command.interval,
            max_failures=command.max_consecutive_job_failures_allowed,
            log_retention=_keeps_logs(command),
            build_status=command.catalogue.first_build_status,
            at=command.now,
        )
    ]


def _keeps_logs(command: CreateWorkflow) -> bool:
    if command.log_retention is None:
        return command.catalogue.keeps_logs(command.kind)
    return command.log_retention


def _update(workflow: Workflow, command: UpdateWorkflow) -> Sequence[WorkflowEvent]:
    new_payload = command.payload != workflow.payload
    if new_payload:
        refuse_invalid(("payload", command.catalogue.new_payload(command.payload, workflow.kind)))
    new_interval = command.interval != workflow.interval
    revived = workflow.terminated_at is not None
    starts_again = new_payload or revived
    updated = Updated(
        name=command.name,
        payload=command.payload,
        interval=command.interval,
        max_failures=command.max_consecutive_job_failures_allowed,
        build_status=(
            command.catalogue.first_build_status if starts_again else workflow.build_status
        ),
        generation=workflow.generation + (starts_again or new_interval),
        at=command.now,
    )
    if evolve(workflow, updated) == replace(workflow, updated_at=command.now):
        return []
    return [updated]


def _update_build_status(workflow: Workflow, command: UpdateBuildStatus) -> Sequence[WorkflowEvent]:
    if command.generation not in (0, workflow.generation):
        raise StaleGeneration(command.id, command.generation, workflow.generation)
    if command.build_status == workflow.build_status:
        return []
    return [
        BuildStatusChanged(
            build_status=command.build_status, generation=workflow.generation, at=command.now
        )
    ]


def _increment(workflow: Workflow, command: IncrementFailures) -> Sequence[WorkflowEvent]:
    failures = workflow.failures + 1
    counted = FailureIncremented(failures=failures, job_id=command.job_id, at=command.now)
    if failures < workflow.max_failures or not command.terminate_at_threshold:
        return [counted]
    ended = Terminated(reason=FAILURE_THRESHOLD, job_id=command.job_id, at=command.now)
    return [counted, ended]


def evolve(workflow: Workflow | None, event: WorkflowEvent) -> Workflow:
    """The workflow after an event.

    Raises ValueError if the event cannot follow this state: `decide` never makes such a history.
    """
    if isinstance(event, Created):
        return _created(workflow, event)
    if workflow is None or workflow.deleted_at is not None:
        raise ValueError(f"{event.stored_name} cannot follow: the workflow does not exist")
    match event:
        case Updated():
            return replace(
                workflow,
                name=event.name,
                payload=event.payload,
                interval=event.interval,
                max_failures=event.max_failures,
                build_status=event.build_status,
                generation=event.generation,
                failures=0,
                updated_at=event.at,
                terminated_at=None,
            )
        case BuildStatusChanged():
            return replace(workflow, build_status=event.build_status, updated_at=event.at)
        case FailureIncremented():
            return replace(workflow, failures=event.failures, updated_at=event.at)
        case Reset():
            return replace(workflow, failures=0, updated_at=event.at)
        case Terminated():
            return replace(workflow, terminated_at=event.at, updated_at=event.at)
        case Deleted():
            return replace(workflow, deleted_at=event.at, updated_at=event.at)
    assert_never(event)


def _created(workflow: Workflow | None, event: Created) -> Workflow:
    if workflow is not None:
        raise ValueError("created cannot follow: the workflow exists")
    return Workflow(
        user_id=event.user_id,
        name=event.name,
        payload=event.payload,
        kind=event.kind,
        interval=event.interval,
        max_failures=event.max_failures,
        log_retention=event.log_retention,
        build_status=event.build_status,
        failures=0,
        generation=1,
        created_at=event.at,
        updated_at=event.at,
    )


def replay(history: Iterable[WorkflowEvent], workflow: Workflow | None = None) -> Workflow | None:
    """The workflow after these events, oldest first; None if there are no events."""
    for event in history:
        workflow = evolve(workflow, event)
    return workflow
