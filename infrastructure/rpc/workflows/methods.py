"""The methods of workflows.WorkflowsService: one row a method, and nothing else."""

from workflows import workflows_pb2 as pb

from infrastructure.rpc.method import Door, LaneName, MethodRow
from infrastructure.rpc.workflows import convert, render

METHODS = (
    MethodRow(
        "CreateWorkflow",
        pb.CreateWorkflowRequest,
        Door.PUBLIC,
        LaneName.WRITES,
        convert.create,
        render.created,
    ),
    MethodRow(
        "UpdateWorkflow",
        pb.UpdateWorkflowRequest,
        Door.PUBLIC,
        LaneName.WRITES,
        convert.update,
        render.done(pb.UpdateWorkflowResponse),
    ),
    MethodRow(
        "UpdateWorkflowBuildStatus",
        pb.UpdateWorkflowBuildStatusRequest,
        Door.INTERNAL,
        LaneName.WRITES,
        convert.update_build_status,
        render.done(pb.UpdateWorkflowBuildStatusResponse),
    ),
    MethodRow(
        "GetWorkflow",
        pb.GetWorkflowRequest,
        Door.PUBLIC,
        LaneName.LOOKUPS,
        convert.own_workflow,
        render.own_workflow,
    ),
    MethodRow(
        "GetWorkflowByID",
        pb.GetWorkflowByIDRequest,
        Door.INTERNAL,
        LaneName.LOOKUPS,
        convert.any_workflow,
        render.any_workflow,
    ),
    MethodRow(
        "IncrementWorkflowConsecutiveJobFailuresCount",
        pb.IncrementWorkflowConsecutiveJobFailuresCountRequest,
        Door.INTERNAL,
        LaneName.WRITES,
        convert.increment,
        render.incremented,
    ),
    MethodRow(
        "ResetWorkflowConsecutiveJobFailuresCount",
        pb.ResetWorkflowConsecutiveJobFailuresCountRequest,
        Door.INTERNAL,
        LaneName.WRITES,
        convert.reset,
        render.done(pb.ResetWorkflowConsecutiveJobFailuresCountResponse),
    ),
    MethodRow(
        "TerminateWorkflow",
        pb.TerminateWorkflowRequest,
        Door.PUBLIC,
        LaneName.WRITES,
        convert.terminate,
        render.done(pb.TerminateWorkflowResponse),
    ),
    MethodRow(
        "DeleteWorkflow",
        pb.DeleteWorkflowRequest,
        Door.PUBLIC,
        LaneName.WRITES,
        convert.delete,
        render.done(pb.DeleteWorkflowResponse),
    ),
    MethodRow(
        "ListWorkflows",
        pb.ListWorkflowsRequest,
        Door.PUBLIC,
        LaneName.LISTS,
        convert.page_of_list,
        render.page,
    ),
)
"""Every method of the contract. Guard, access rules, README and other doors read it."""
