"""From requests of the contract to what the application is asked.

Each function raises InvalidFields, which names every bad field.
"""

from workflows import workflows_pb2 as pb

from application.queries import Lookup, PageRequest
from domain import commands
from domain.filters import Filters
from infrastructure.rpc.method import Surroundings


def workflow_id(text: str) -> str:
    """An id as it is stored; clients may spell it in upper case."""
    return text.lower()


def create(
    request: pb.CreateWorkflowRequest, surroundings: Surroundings
) -> commands.CreateWorkflow:
    """A new workflow under a new id."""
    now = surroundings.now()
    return commands.CreateWorkflow(
        id=surroundings.new_id(request.user_id, now),
        user_id=request.user_id,
        name=request.name,
        payload=request.payload,
        kind=request.kind,
        interval=request.interval,
        max_consecutive_job_failures_allowed=request.max_consecutive_job_failures_allowed,
        log_retention=request.log_retention if request.HasField("log_retention") else None,
        idempotency_key=request.idempotency_key,
        now=now,
        catalogue=surroundings.catalogue,
    )


def update(
    request: pb.UpdateWorkflowRequest, surroundings: Surroundings
) -> commands.UpdateWorkflow:
    """A replacement of what an owner may change."""
    return commands.UpdateWorkflow(
        id=workflow_id(request.id),
        user_id=request.user_id,
        name=request.name,
        payload=request.payload,
        interval=request.interval,
        max_consecutive_job_failures_allowed=request.max_consecutive_job_failures_allowed,
        idempotency_key=request.idempotency_key,
        now=surroundings.now(),
        catalogue=surroundings.catalogue,
    )


def update_build_status(
    request: pb.UpdateWorkflowBuildStatusRequest, surroundings: Surroundings
) -> commands.UpdateBuildStatus:
    """The status of a build."""
    return commands.UpdateBuildStatus(
        id=workflow_id(request.id),
        user_id=request.user_id,
        build_status=request.build_status,
        generation=request.generation,
        now=surroundings.now(),
        catalogue=surroundings.catalogue,
    )


def increment(
    request: pb.IncrementWorkflowConsecutiveJobFailuresCountRequest, surroundings: Surroundings
) -> commands.IncrementFailures:
    """A failed job."""
    return commands.IncrementFailures(
        id=workflow_id(request.id),
        user_id=request.user_id,
        job_id=request.job_id,
        terminate_at_threshold=surroundings.terminate_at_threshold,
        now=surroundings.now(),
    )


def reset(
    request: pb.ResetWorkflowConsecutiveJobFailuresCountRequest, surroundings: Surroundings
) -> commands.ResetFailures:
    """A count of failures that starts again."""
    return commands.ResetFailures(
        id=workflow_id(request.id), user_id=request.user_id, now=surroundings.now()
    )


def terminate(
    request: pb.TerminateWorkflowRequest, surroundings: Surroundings
) -> commands.TerminateWorkflow:
    """The end of a workflow's active life."""
    return commands.TerminateWorkflow(
        id=workflow_id(request.id), user_id=request.user_id, now=surroundings.now()
    )


def delete(
    request: pb.DeleteWorkflowRequest, surroundings: Surroundings
) -> commands.DeleteWorkflow:
    """The removal of a workflow."""
    return commands.DeleteWorkflow(
        id=workflow_id(request.id), user_id=request.user_id, now=surroundings.now()
    )


def own_workflow(request: pb.GetWorkflowRequest, _: Surroundings) -> Lookup:
    """A question for the caller's own workflow."""
    return Lookup.by_owner(workflow_id(request.id), request.user_id)


def any_workflow(request: pb.GetWorkflowByIDRequest, _: Surroundings) -> Lookup:
    """A service's question for any workflow."""
    return Lookup.by_service(workflow_id(request.id))


def page_of_list(request: pb.ListWorkflowsRequest, surroundings: Surroundings) -> PageRequest:
    """A question for one page of a user's list."""
    filters = filters_of(request.filters)
    return PageRequest.checked(request.user_id, filters, request.cursor, surroundings.catalogue)


def filters_of(wanted: pb.ListWorkflowsFilters) -> Filters:
    """The filters of a list, unchecked."""
    return Filters(
        query=wanted.query,
        kind=wanted.kind,
        build_status=wanted.build_status,
        is_terminated=wanted.is_terminated,
        interval_min=wanted.interval_min,
        interval_max=wanted.interval_max,
    )
