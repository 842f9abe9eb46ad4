"""The methods of WorkflowAdminService: one row a method, and nothing else."""

from operator import attrgetter

from workflows import admin_pb2 as pb

from infrastructure.contract import ADMIN_SERVICE
from infrastructure.rpc.admin import convert
from infrastructure.rpc.method import LaneName, MethodRow, ServiceTable

_OWNER = attrgetter("user_id")

METHODS = (
    MethodRow(
        "EraseUser", pb.EraseUserRequest, convert.erase, _OWNER, LaneName.ADMIN, convert.erased
    ),
    MethodRow("HoldUser", pb.HoldUserRequest, convert.hold, _OWNER, LaneName.ADMIN, convert.held),
    MethodRow(
        "ReleaseHold",
        pb.ReleaseHoldRequest,
        convert.release,
        _OWNER,
        LaneName.ADMIN,
        convert.released,
    ),
    MethodRow(
        "ListErasures",
        pb.ListErasuresRequest,
        convert.erasures,
        None,
        LaneName.TRAILS,
        convert.listed_erasures,
    ),
    MethodRow(
        "ListAccesses",
        pb.ListAccessesRequest,
        convert.accesses,
        _OWNER,
        LaneName.TRAILS,
        convert.listed_accesses,
    ),
)

TABLE = ServiceTable(ADMIN_SERVICE, METHODS)
"""The service of administrators: what the guard, access rules and doors read."""
