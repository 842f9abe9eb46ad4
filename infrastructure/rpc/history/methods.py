"""The methods of WorkflowHistoryService: one row a method, and nothing else."""

from operator import attrgetter

from workflows import history_pb2 as pb

from infrastructure.contract import HISTORY_SERVICE
from infrastructure.rpc.history import convert, exports, render, search, verification, watch
from infrastructure.rpc.method import LaneName, MethodRow, ServiceTable, StreamRow

_OWNER = attrgetter("user_id")
_FILTERED_OWNER = attrgetter("filter.user_id")

METHODS = (
    MethodRow(
        "GetWorkflowHistory",
        pb.GetWorkflowHistoryRequest,
        convert.history,
        _OWNER,
        LaneName.HISTORY,
        render.history,
    ),
    MethodRow(
        "GetWorkflowAsOf",
        pb.GetWorkflowAsOfRequest,
        convert.as_of,
        _OWNER,
        LaneName.HISTORY,
        render.as_of,
    ),
    MethodRow(
        "DiffWorkflow",
        pb.DiffWorkflowRequest,
        convert.diff,
        _OWNER,
        LaneName.HISTORY,
        render.diff,
    ),
    MethodRow(
        "ListWorkflowsAsOf",
        pb.ListWorkflowsAsOfRequest,
        convert.list_as_of,
        _OWNER,
        LaneName.HISTORY,
        render.list_as_of,
    ),
    MethodRow(
        "VerifyWorkflow",
        pb.VerifyWorkflowRequest,
        verification.verify_workflow,
        _OWNER,
        LaneName.VERIFICATION,
        verification.workflow_report,
    ),
    MethodRow(
        "GetProof",
        pb.GetProofRequest,
        convert.proof,
        _OWNER,
        LaneName.HISTORY,
        render.proof,
    ),
    MethodRow(
        "GetCheckpoint",
        pb.GetCheckpointRequest,
        convert.checkpoint,
        None,
        LaneName.HISTORY,
        render.checkpoint,
    ),
    MethodRow(
        "WhatIf",
        pb.WhatIfRequest,
        convert.what_if,
        convert.commanded_for,
        LaneName.HISTORY,
        render.what_if,
    ),
    MethodRow(
        "SearchEvents",
        pb.SearchEventsRequest,
        search.asked,
        _FILTERED_OWNER,
        LaneName.SEARCH,
        search.found,
    ),
)

STREAMS = (
    StreamRow("WatchEvents", pb.WatchEventsRequest, watch.asked, _FILTERED_OWNER),
    StreamRow("VerifyFeed", pb.VerifyFeedRequest, verification.verify_feed, None),
    StreamRow("ExportPack", pb.ExportPackRequest, exports.asked, _FILTERED_OWNER),
)

TABLE = ServiceTable(HISTORY_SERVICE, METHODS, STREAMS)
