"""Between messages of the contract and the values of the domain."""

from datetime import datetime

from workflows import workflows_pb2 as pb

from application.draft import Done
from application.ports import View
from application.queries import Page
from domain import commands, fields
from domain.errors import InvalidFields
from domain.filters import Filters


def timestamp(moment: datetime | None) -> str:
    """RFC 3339 in UTC with microseconds; empty for None. The moment must be in UTC."""
    return "" if moment is None else moment.isoformat(timespec="microseconds")[:26] + "Z"


def workflow_id(text: str) -> str:
    """An id as it is stored: clients may spell it in upper case."""
    return text.lower()


def create(
    request: pb.CreateWorkflowRequest, new_id: str, now: datetime
) -> commands.CreateWorkflow:
    """The command in a request. Raises InvalidFields."""
    return commands.CreateWorkflow(
        id=new_id,
        user_id=request.user_id,
        name=request.name,
        payload=request.payload,
        kind=request.kind,
        interval=request.interval,
        max_consecutive_job_failures_allowed=request.max_consecutive_job_failures_allowed,
        log_retention=request.log_retention,
        idempotency_key=request.idempotency_key,
        now=now,
    )


def update(request: pb.UpdateWorkflowRequest, now: datetime) -> commands.UpdateWorkflow:
    """The command in a request. Raises InvalidFields."""
    return commands.UpdateWorkflow(
        id=workflow_id(request.id),
        user_id=request.user_id,
        name=request.name,
        payload=request.payload,
        interval=request.interval,
        max_consecutive_job_failures_allowed=request.max_consecutive_job_failures_allowed,
        idempotency_key=request.idempotency_key,
        now=now,
    )


def update_build_status(
    request: pb.UpdateWorkflowBuildStatusRequest, now: datetime
) -> commands.UpdateBuildStatus:
    """The command in a request. Raises InvalidFields."""
    return commands.UpdateBuildStatus(
        id=workflow_id(request.id),
        user_id=request.user_id,
        build_status=request.build_status,
        generation=request.generation,
        now=now,
    )


def increment(
    request: pb.IncrementWorkflowConsecutiveJobFailuresCountRequest,
    now: datetime,
    *,
    terminate_at_threshold: bool,
) -> commands.IncrementFailures:
    """The command in a request. Raises InvalidFields."""
    return commands.IncrementFailures(
        id=workflow_id(request.id),
        user_id=request.user_id,
        job_id=request.job_id,
        terminate_at_threshold=terminate_at_threshold,
        now=now,
    )


def reset(
    request: pb.ResetWorkflowConsecutiveJobFailuresCountRequest, now: datetime
) -> commands.ResetFailures:
    """The command in a request. Raises InvalidFields."""
    return commands.ResetFailures(id=workflow_id(request.id), user_id=request.user_id, now=now)


def terminate(request: pb.TerminateWorkflowRequest, now: datetime) -> commands.TerminateWorkflow:
    """The command in a request. Raises InvalidFields."""
    return commands.TerminateWorkflow(id=workflow_id(request.id), user_id=request.user_id, now=now)


def delete(request: pb.DeleteWorkflowRequest, now: datetime) -> commands.DeleteWorkflow:
    """The command in a request. Raises InvalidFields."""
    return commands.DeleteWorkflow(id=workflow_id(request.id), user_id=request.user_id, now=now)


def filters(request: pb.ListWorkflowsRequest) -> Filters:
    """The filters in a request. Raises InvalidFields, which names a bad user beside them."""
    wanted = request.filters
    try:
        return Filters(
            query=wanted.query,
            kind=wanted.kind,
            build_status=wanted.build_status,
            is_terminated=wanted.is_terminated,
            interval_min=wanted.interval_min,
            interval_max=wanted.interval_max,
        )
    except InvalidFields as refused:
        user = fields.violations([("user_id", fields.required_text(request.user_id))])
        raise InvalidFields([*user, *refused.violations]) from refused


def created(done: Done) -> pb.CreateWorkflowResponse:
    """The id of a new workflow."""
    return pb.CreateWorkflowResponse(id=done.workflow_id)


def incremented(done: Done) -> pb.IncrementWorkflowConsecutiveJobFailuresCountResponse:
    """Whether the failures have reached their maximum."""
    return pb.IncrementWorkflowConsecutiveJobFailuresCountResponse(
        threshold_reached=done.threshold_reached
    )


def owned(view: View) -> pb.GetWorkflowResponse:
    """A workflow as its owner sees it."""
    workflow = view.workflow
    return pb.GetWorkflowResponse(
        id=view.id,
        name=workflow.name,
        payload=workflow.payload,
        kind=workflow.kind,
        build_status=workflow.build_status,
        interval=workflow.interval,
        consecutive_job_failures_count=workflow.failures,
        max_consecutive_job_failures_allowed=workflow.max_failures,
        created_at=timestamp(workflow.created_at),
        updated_at=timestamp(workflow.updated_at),
        terminated_at=timestamp(workflow.terminated_at),
        log_retention=workflow.log_retention,
        generation=workflow.generation,
    )


def any_owner(view: View) -> pb.GetWorkflowByIDResponse:
    """A workflow as other services see it."""
    workflow = view.workflow
    return pb.GetWorkflowByIDResponse(
        id=view.id,
        user_id=workflow.user_id,
        name=workflow.name,
        payload=workflow.payload,
        kind=workflow.kind,
        build_status=workflow.build_status,
        interval=workflow.interval,
        consecutive_job_failures_count=workflow.failures,
        max_consecutive_job_failures_allowed=workflow.max_failures,
        created_at=timestamp(workflow.created_at),
        updated_at=timestamp(workflow.updated_at),
        terminated_at=timestamp(workflow.terminated_at),
        log_retention=workflow.log_retention,
        generation=workflow.generation,
    )


def page(found: Page) -> pb.ListWorkflowsResponse:
    """A page of a list."""
    return pb.ListWorkflowsResponse(
        workflows=[_listed(view) for view in found.views], cursor=found.cursor
    )


def _listed(view: View) -> pb.WorkflowsByUserIDResponse:
    workflow = view.workflow
    return pb.WorkflowsByUserIDResponse(
        id=view.id,
        name=workflow.name,
        payload=workflow.payload,
        kind=workflow.kind,
        build_status=workflow.build_status,
        interval=workflow.interval,
        consecutive_job_failures_count=workflow.failures,
        max_consecutive_job_failures_allowed=workflow.max_failures,
        created_at=timestamp(workflow.created_at),
        updated_at=timestamp(workflow.updated_at),
        log_retention=workflow.log_retention,
        terminated_at=timestamp(workflow.terminated_at),
    )
