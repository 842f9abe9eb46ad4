"""Reference (a): a grpc.aio server on uvloop that does nothing but answer with filled messages."""

import json
import sys
from typing import Any

import grpc
import uvloop
from workflows import workflows_pb2 as pb
from workflows.workflows_pb2_grpc import (
    WorkflowsServiceServicer,
    add_WorkflowsServiceServicer_to_server,
)

from tests.benchmarks import bodies

ID = "0199c0de-0000-7000-8000-000000000001"
MOMENT = "2026-01-01T00:00:00.000001Z"
PAGE = 50
FOUND: dict[str, Any] = {
    "id": ID,
    "name": bodies.NAME,
    "payload": bodies.PAYLOAD,
    "kind": "http",
    "build_status": "pending",
    "interval": 60,
    "consecutive_job_failures_count": 1,
    "max_consecutive_job_failures_allowed": bodies.MAX_FAILURES,
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "terminated_at": MOMENT,
    "log_retention": True,
    "generation": 1,
}


class Noop(WorkflowsServiceServicer):
    """Answers every method at once, with as much as the service would."""

    async def CreateWorkflow(  # noqa: N802 - gRPC's names, here and below
        self, request: pb.CreateWorkflowRequest, context: object
    ) -> pb.CreateWorkflowResponse:
        """An id."""
        return pb.CreateWorkflowResponse(id=ID)

    async def UpdateWorkflow(  # noqa: N802 - gRPC's name
        self, request: pb.UpdateWorkflowRequest, context: object
    ) -> pb.UpdateWorkflowResponse:
        """Nothing."""
        return pb.UpdateWorkflowResponse()

    async def UpdateWorkflowBuildStatus(  # noqa: N802 - gRPC's name
        self, request: pb.UpdateWorkflowBuildStatusRequest, context: object
    ) -> pb.UpdateWorkflowBuildStatusResponse:
        """Nothing."""
        return pb.UpdateWorkflowBuildStatusResponse()

    async def GetWorkflow(  # noqa: N802 - gRPC's name
        self, request: pb.GetWorkflowRequest, context: object
    ) -> pb.GetWorkflowResponse:
        """Thirteen filled fields."""
        return pb.GetWorkflowResponse(**FOUND)

    async def GetWorkflowByID(  # noqa: N802 - gRPC's name
        self, request: pb.GetWorkflowByIDRequest, context: object
    ) -> pb.GetWorkflowByIDResponse:
        """The same with the owner."""
        return pb.GetWorkflowByIDResponse(
            id=ID,
            user_id=bodies.USER,
            name=bodies.NAME,
            payload=bodies.PAYLOAD,
            kind="http",
            build_status="pending",
            interval=60,
            max_consecutive_job_failures_allowed=bodies.MAX_FAILURES,
            created_at=MOMENT,
            updated_at=MOMENT,
            generation=1,
        )

    async def IncrementWorkflowConsecutiveJobFailuresCount(  # noqa: N802 - gRPC's name
        self, request: pb.IncrementWorkflowConsecutiveJobFailuresCountRequest, context: object
    ) -> pb.IncrementWorkflowConsecutiveJobFailuresCountResponse:
        """Not reached."""
        return pb.IncrementWorkflowConsecutiveJobFailuresCountResponse(threshold_reached=False)

    async def ResetWorkflowConsecutiveJobFailuresCount(  # noqa: N802 - gRPC's name
        self, request: pb.ResetWorkflowConsecutiveJobFailuresCountRequest, context: object
    ) -> pb.ResetWorkflowConsecutiveJobFailuresCountResponse:
        """Nothing."""
        return pb.ResetWorkflowConsecutiveJobFailuresCountResponse()

    async def TerminateWorkflow(  # noqa: N802 - gRPC's name
        self, request: pb.TerminateWorkflowRequest, context: object
    ) -> pb.TerminateWorkflowResponse:
        """Nothing."""
        return pb.TerminateWorkflowResponse()

    async def DeleteWorkflow(  # noqa: N802 - gRPC's name
        self, request: pb.DeleteWorkflowRequest, context: object
    ) -> pb.DeleteWorkflowResponse:
        """Nothing."""
        return pb.DeleteWorkflowResponse()

    async def ListWorkflows(  # noqa: N802 - gRPC's name
        self, request: pb.ListWorkflowsRequest, context: object
    ) -> pb.ListWorkflowsResponse:
        """A page of workflows."""
        one = pb.WorkflowsByUserIDResponse(
            id=ID,
            name=bodies.NAME,
            payload=bodies.PAYLOAD,
            kind="http",
            build_status="pending",
            interval=60,
            max_consecutive_job_failures_allowed=bodies.MAX_FAILURES,
            created_at=MOMENT,
            updated_at=MOMENT,
        )
        return pb.ListWorkflowsResponse(workflows=[one] * PAGE, cursor="opaque")


async def _serve() -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_WorkflowsServiceServicer_to_server(Noop(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(json.dumps({"address": f"127.0.0.1:{port}"}) + "\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(_serve())
