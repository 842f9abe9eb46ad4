"""A client as the contract's users have one: generated stubs, trailing metadata, decoded errors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status
from workflows import workflows_pb2 as pb
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

from workflows_testing import requests

M = TypeVar("M", bound=Message)
Q = TypeVar("Q", bound=Message)
T = TypeVar("T")

WITHIN = 60.0  # seconds: patience with a slow machine, not an expectation
Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True)
class Answer(Generic[M]):
    """A reply and the trailing metadata that came with it."""

    message: M
    trailing: Mapping[str, str | bytes]

    @property
    def version(self) -> int:
        """The stream version that the reply reflects."""
        return int(self.trailing["x-workflow-version"])

    @property
    def position(self) -> int:
        """The feed position up to which the caller's effect is contained."""
        return int(self.trailing["x-event-position"])

    @property
    def replayed(self) -> bool:
        """Whether the ledger answered."""
        return self.trailing.get("x-replayed") == "true"


class Refused(Exception):
    """A call that ended with another status than OK."""

    def __init__(self, error: grpc.RpcError) -> None:
        call: Any = error  # The library raises an object that is both error and call.
        self.code: grpc.StatusCode = call.code()
        self.message = str(call.details())
        self.trailing: Mapping[str, str | bytes] = dict(call.trailing_metadata() or ())
        self._status: Any = Status()
        packed = self.trailing.get("grpc-status-details-bin", b"")
        assert isinstance(packed, bytes)
        self._status.ParseFromString(packed)
        super().__init__(f"{self.code.name}: {self.message}")

    @property
    def reason(self) -> str:
        """The reason for machines."""
        return str(self.detail(details.ErrorInfo).reason)

    @property
    def fields(self) -> Sequence[str]:
        """The bad fields, in the order in which they are named."""
        return [violation.field for violation in self.detail(details.BadRequest).field_violations]

    @property
    def retry(self) -> bool:
        """Whether the client is invited to try again."""
        return any(packed.Is(details.RetryInfo.DESCRIPTOR) for packed in self._status.details)

    def detail(self, kind: Any) -> Any:
        """The detail of this kind; an empty one if there is none."""
        found = kind()
        for packed in self._status.details:
            if packed.Is(kind.DESCRIPTOR):
                packed.Unpack(found)
        return found


class Client:
    """The ten methods, with what a test does not care about filled in.

    Each raises Refused if the call ends with another status than OK. `within` is the deadline of
    each call in seconds.
    """

    def __init__(self, address: str, within: float = WITHIN) -> None:
        self.address = address
        self.within = within
        self.channel = grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
        self.stub = WorkflowsServiceStub(self.channel)

    def close(self) -> None:
        """Ends the connection."""
        self.channel.close()

    def ask(self, method: "grpc.UnaryUnaryMultiCallable[Q, M]", request: Q) -> Answer[M]:
        """The answer of a method. Every call of this client passes here. Raises Refused."""
        return ask(method, request, within=self.within)

    def create(self, user: str, **differing: Any) -> Answer[pb.CreateWorkflowResponse]:
        """Creates the example workflow, or one that differs."""
        return self.ask(self.stub.CreateWorkflow, requests.create(user, **differing))

    def created(self, user: str, **differing: Any) -> str:
        """The id of a workflow just created."""
        return self.create(user, **differing).message.id

    def update(
        self, workflow_id: str, user: str, **differing: Any
    ) -> Answer[pb.UpdateWorkflowResponse]:
        """Makes a workflow the example workflow again, or one that differs."""
        return self.ask(self.stub.UpdateWorkflow, requests.update(workflow_id, user, **differing))

    def build(
        self, workflow_id: str, build_status: str, user: str = "", generation: int = 0
    ) -> Answer[pb.UpdateWorkflowBuildStatusResponse]:
        """Reports the status of a build."""
        request = pb.UpdateWorkflowBuildStatusRequest(
            id=workflow_id, user_id=user, build_status=build_status, generation=generation
        )
        return self.ask(self.stub.UpdateWorkflowBuildStatus, request)

    def get(self, workflow_id: str, user: str) -> Answer[pb.GetWorkflowResponse]:
        """A user's own workflow."""
        return self.ask(self.stub.GetWorkflow, pb.GetWorkflowRequest(id=workflow_id, user_id=user))

    def get_by_id(self, workflow_id: str) -> Answer[pb.GetWorkflowByIDResponse]:
        """Any workflow."""
        return self.ask(self.stub.GetWorkflowByID, pb.GetWorkflowByIDRequest(id=workflow_id))

    def increment(
        self, workflow_id: str, job_id: str = "", user: str = ""
    ) -> Answer[pb.IncrementWorkflowConsecutiveJobFailuresCountResponse]:
        """Counts a failed job."""
        request = pb.IncrementWorkflowConsecutiveJobFailuresCountRequest(
            id=workflow_id, user_id=user, job_id=job_id
        )
        return self.ask(self.stub.IncrementWorkflowConsecutiveJobFailuresCount, request)

    def reset(
        self, workflow_id: str, user: str = ""
    ) -> Answer[pb.ResetWorkflowConsecutiveJobFailuresCountResponse]:
        """Starts the count of failures again."""
        request = pb.ResetWorkflowConsecutiveJobFailuresCountRequest(id=workflow_id, user_id=user)
        return self.ask(self.stub.ResetWorkflowConsecutiveJobFailuresCount, request)

    def terminate(self, workflow_id: str, user: str) -> Answer[pb.TerminateWorkflowResponse]:
        """Ends a workflow's active life."""
        request = pb.TerminateWorkflowRequest(id=workflow_id, user_id=user)
        return self.ask(self.stub.TerminateWorkflow, request)

    def delete(self, workflow_id: str, user: str) -> Answer[pb.DeleteWorkflowResponse]:
        """Removes a workflow."""
        request = pb.DeleteWorkflowRequest(id=workflow_id, user_id=user)
        return self.ask(self.stub.DeleteWorkflow, request)

    def page(self, user: str, cursor: str = "", **filters: Any) -> pb.ListWorkflowsResponse:
        """A page of a user's workflows."""
        return self.ask(self.stub.ListWorkflows, requests.page(user, cursor, **filters)).message

    def walk(self, user: str, **filters: Any) -> Sequence[str]:
        """The ids of a user's workflows, page after page to the last."""
        ids: list[str] = []
        cursor = ""
        while True:
            page = self.page(user, cursor, **filters)
            ids += [listed.id for listed in page.workflows]
            if not (cursor := page.cursor):
                return ids


def ask(
    method: "grpc.UnaryUnaryMultiCallable[Q, M]",
    request: Q,
    metadata: Metadata | None = None,
    within: float = WITHIN,
) -> Answer[M]:
    """The answer of a method. Raises Refused."""
    try:
        message, call = method.with_call(request, timeout=within, metadata=metadata)
    except grpc.RpcError as error:
        raise Refused(error) from error
    return Answer(message, dict(call.trailing_metadata() or ()))


def outcome(call: Callable[[], T]) -> T | Refused:
    """What a call answers, or how it was refused."""
    try:
        return call()
    except Refused as refusal:
        return refusal
