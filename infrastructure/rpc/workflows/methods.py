"""The methods of workflows.WorkflowsService: one row a method, and nothing else."""

from operator import attrgetter

from workflows import workflows_pb2 as pb

from infrastructure.contract import SERVICE
from infrastructure.rpc.method import LaneName, MethodRow, ServiceTable
from infrastructure.rpc.workflows import convert, render

_OWNER = attrgetter("user_id")

METHODS = (
    MethodRow(
        "CreateWorkflow",
        pb.CreateWorkflowRequest,
        convert.create,
        _OWNER,
        LaneName.WRITES,
        render.created,
    ),
    MethodRow(
        "UpdateWorkflow",
        pb.UpdateWorkflowRequest,
        convert.update,
        _OWNER,
        LaneName.WRITES,
        render.done(pb.UpdateWorkflowResponse),
    ),
    MethodRow(
        "UpdateWorkflowBuildStatus",
        pb.UpdateWorkflowBuildStatusRequest,
        convert.update_build_status,
        _OWNER,
        LaneName.WRITES,
        render.done(pb.UpdateWorkflowBuildStatusResponse),
    ),
    MethodRow(
        "GetWorkflow",
        pb.GetWorkflowRequest,
        convert.own_workflow,
        _OWNER,
        LaneName.LOOKUPS,
        render.own_workflow,
    ),
    MethodRow(
        "GetWorkflowByID",
        pb.GetWorkflowByIDRequest,
        convert.any_workflow,
        None,
        LaneName.LOOKUPS,
        render.any_workflow,
    ),
    MethodRow(
        "IncrementWorkflowConsecutiveJobFailuresCount",
        pb.IncrementWorkflowConsecutiveJobFailuresCountRequest,
        convert.increment,
        _OWNER,
        LaneName.WRITES,
        render.incremented,
    ),
    MethodRow(
        "ResetWorkflowConsecutiveJobFailuresCount",
        pb.ResetWorkflowConsecutiveJobFailuresCountRequest,
        convert.reset,
        _OWNER,
        LaneName.WRITES,
        render.done(pb.ResetWorkflowConsecutiveJobFailuresCountResponse),
    ),
    MethodRow(
        "TerminateWorkflow",
        pb.TerminateWorkflowRequest,
        convert.terminate,
        _OWNER,
        LaneName.WRITES,
        render.done(pb.TerminateWorkflowResponse),
    ),
    MethodRow(
        "DeleteWorkflow",
        pb.DeleteWorkflowRequest,
        convert.delete,
        _OWNER,
        LaneName.WRITES,
        render.done(pb.DeleteWorkflowResponse),
    ),
    MethodRow(
        "ListWorkflows",
        pb.ListWorkflowsRequest,
        convert.page_of_list,
        _OWNER,
        LaneName.LISTS,
        render.page,
    ),
)
"""Every method of the contract. Guard, README and other doors read it."""

TABLE = ServiceTable(SERVICE, METHODS)
