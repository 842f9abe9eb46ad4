"""The ten methods: parse, hand over, render. Errors are mapped by the guard around them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from workflows import workflows_pb2 as pb

from application.draft import Done, Submission
from application.ports import View
from application.queries import Lookup, Page, PageRequest
from domain.commands import Command
from infrastructure.identity.origin import Origins
from infrastructure.lanes.lane import Lane
from infrastructure.rpc.errors import Undecodable
from infrastructure.rpc.guard import Method, Reply
from infrastructure.rpc.workflows import convert
from infrastructure.wire.direct import Metadata

SERVICE = "workflows.WorkflowsService"

M = TypeVar("M", bound=Message)
S = TypeVar("S")
O = TypeVar("O")  # noqa: E741 - an outcome


class WorkflowsServicer:
    """workflows.WorkflowsService over its application."""

    def __init__(
        self,
        writes: Lane[Submission, Done],
        lookups: Lane[Lookup, View],
        lists: Sequence[Lane[PageRequest, Page]],
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        terminate_at_threshold: bool,
    ) -> None:
        """`lists` are read side by side, so that a slow one holds up few others."""
        self._writes = writes
        self._lookups = lookups
        self._lists = lists
        self._clock = clock
        self._new_id = new_id
        self._terminate_at_threshold = terminate_at_threshold
        self._origins = Origins()

    def methods(self) -> Mapping[str, Method]:
        """Every method of the contract, by name."""
        return {
            "CreateWorkflow": self._create,
            "UpdateWorkflow": self._update,
            "UpdateWorkflowBuildStatus": self._update_build_status,
            "GetWorkflow": self._get,
            "GetWorkflowByID": self._get_by_id,
            "IncrementWorkflowConsecutiveJobFailuresCount": self._increment,
            "ResetWorkflowConsecutiveJobFailuresCount": self._reset,
            "TerminateWorkflow": self._terminate,
            "DeleteWorkflow": self._delete,
            "ListWorkflows": self._list,
        }

    def _create(self, request: bytes, reply: Reply) -> None:
        message = _parse(pb.CreateWorkflowRequest, request)
        command = convert.create(message, self._new_id(), self._clock())
        self._write(command, request, reply, convert.created)

    def _update(self, request: bytes, reply: Reply) -> None:
        command = convert.update(_parse(pb.UpdateWorkflowRequest, request), self._clock())
        self._write(command, request, reply, lambda _: pb.UpdateWorkflowResponse())

    def _update_build_status(self, request: bytes, reply: Reply) -> None:
        message = _parse(pb.UpdateWorkflowBuildStatusRequest, request)
        command = convert.update_build_status(message, self._clock())
        self._write(command, request, reply, lambda _: pb.UpdateWorkflowBuildStatusResponse())

    def _increment(self, request: bytes, reply: Reply) -> None:
        message = _parse(pb.IncrementWorkflowConsecutiveJobFailuresCountRequest, request)
        command = convert.increment(
            message, self._clock(), terminate_at_threshold=self._terminate_at_threshold
        )
        self._write(command, request, reply, convert.incremented)

    def _reset(self, request: bytes, reply: Reply) -> None:
        message = _parse(pb.ResetWorkflowConsecutiveJobFailuresCountRequest, request)
        command = convert.reset(message, self._clock())
        answer = pb.ResetWorkflowConsecutiveJobFailuresCountResponse
        self._write(command, request, reply, lambda _: answer())

    def _terminate(self, request: bytes, reply: Reply) -> None:
        command = convert.terminate(_parse(pb.TerminateWorkflowRequest, request), self._clock())
        self._write(command, request, reply, lambda _: pb.TerminateWorkflowResponse())

    def _delete(self, request: bytes, reply: Reply) -> None:
        command = convert.delete(_parse(pb.DeleteWorkflowRequest, request), self._clock())
        self._write(command, request, reply, lambda _: pb.DeleteWorkflowResponse())

    def _get(self, request: bytes, reply: Reply) -> None:
        message = _parse(pb.GetWorkflowRequest, request)
        lookup = Lookup.by_owner(convert.workflow_id(message.id), message.user_id)
        _ask(self._lookups, lookup, reply, lambda view: (convert.owned(view), _reflects(view)))

    def _get_by_id(self, request: bytes, reply: Reply) -> None:
        message = _parse(pb.GetWorkflowByIDRequest, request)
        lookup = Lookup.by_service(convert.workflow_id(message.id))
        _ask(self._lookups, lookup, reply, lambda view: (convert.any_owner(view), _reflects(view)))

    def _list(self, request: bytes, reply: Reply) -> None:
        message = _parse(pb.ListWorkflowsRequest, request)
        wanted = PageRequest(message.user_id, convert.filters(message), message.cursor)
        shortest = min(self._lists, key=lambda lane: lane.unanswered)
        _ask(shortest, wanted, reply, lambda page: (convert.page(page), ()))

    def _write(
        self, command: Command, request: bytes, reply: Reply, message: Callable[[Done], Message]
    ) -> None:
        submission = Submission(command, self._origins.of(reply.metadata))
        # A command is stored twice: in its event and in the current-state row.
        size = 2 * len(request)
        _ask(self._writes, submission, reply, lambda done: (message(done), _written(done)), size)


def _ask(
    group: Lane[S, O],
    submission: S,
    reply: Reply,
    render: Callable[[O], tuple[Message, Metadata]],
    size: int = 0,
) -> None:
    """Lets a reply be settled with what becomes of a submission."""
    asked = group.submit(
        submission, size, reply.deadline, lambda outcome: reply.settle(outcome, render)
    )
    reply.when_cancelled(partial(group.withdraw, asked))


def _parse(kind: type[M], request: bytes) -> M:
    try:
        return kind.FromString(request)
    except DecodeError as undecodable:
        raise Undecodable from undecodable


def _written(done: Done) -> Metadata:
    trailing = (
        ("x-workflow-version", str(done.version)),
        ("x-event-position", str(done.position)),
    )
    return (*trailing, ("x-replayed", "true")) if done.replayed else trailing


def _reflects(view: View) -> Metadata:
    return (("x-workflow-version", str(view.version)),)
