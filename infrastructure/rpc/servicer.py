"""The ten methods: parse, hand over, render. Errors are mapped by the guard around them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from google.protobuf.message import DecodeError, Message
from grpc.aio import ServicerContext
from workflows import workflows_pb2 as pb

from application.handler import Done, Outcome, Submission
from application.ports import View
from application.queries import Queries
from domain.commands import Command
from infrastructure.rpc import convert
from infrastructure.rpc.errors import Undecodable
from infrastructure.rpc.origin import Origins

SERVICE = "workflows.WorkflowsService"

Context = ServicerContext[bytes, bytes]
Method = Callable[[bytes, Context], Awaitable[Message]]
M = TypeVar("M", bound=Message)


class Writes(Protocol):
    """What the servicer needs of the group commit."""

    async def submit(self, submission: Submission, size: int, deadline: float | None) -> Outcome:
        """The outcome of a command."""
        ...


class WorkflowsServicer:
    """workflows.WorkflowsService over its application."""

    def __init__(
        self,
        writes: Writes,
        queries: Queries,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        terminate_at_threshold: bool,
    ) -> None:
        self._writes = writes
        self._queries = queries
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

    async def _create(self, request: bytes, context: Context) -> Message:
        message = _parse(pb.CreateWorkflowRequest, request)
        command = convert.create(message, self._new_id(), self._clock())
        done = await self._write(command, request, context)
        return pb.CreateWorkflowResponse(id=done.workflow_id)

    async def _update(self, request: bytes, context: Context) -> Message:
        command = convert.update(_parse(pb.UpdateWorkflowRequest, request), self._clock())
        await self._write(command, request, context)
        return pb.UpdateWorkflowResponse()

    async def _update_build_status(self, request: bytes, context: Context) -> Message:
        message = _parse(pb.UpdateWorkflowBuildStatusRequest, request)
        await self._write(convert.update_build_status(message, self._clock()), request, context)
        return pb.UpdateWorkflowBuildStatusResponse()

    async def _increment(self, request: bytes, context: Context) -> Message:
        message = _parse(pb.IncrementWorkflowConsecutiveJobFailuresCountRequest, request)
        command = convert.increment(
            message, self._clock(), terminate_at_threshold=self._terminate_at_threshold
        )
        done = await self._write(command, request, context)
        return pb.IncrementWorkflowConsecutiveJobFailuresCountResponse(
            threshold_reached=done.threshold_reached
        )

    async def _reset(self, request: bytes, context: Context) -> Message:
        message = _parse(pb.ResetWorkflowConsecutiveJobFailuresCountRequest, request)
        await self._write(convert.reset(message, self._clock()), request, context)
        return pb.ResetWorkflowConsecutiveJobFailuresCountResponse()

    async def _terminate(self, request: bytes, context: Context) -> Message:
        command = convert.terminate(_parse(pb.TerminateWorkflowRequest, request), self._clock())
        await self._write(command, request, context)
        return pb.TerminateWorkflowResponse()

    async def _delete(self, request: bytes, context: Context) -> Message:
        command = convert.delete(_parse(pb.DeleteWorkflowRequest, request), self._clock())
        await self._write(command, request, context)
        return pb.DeleteWorkflowResponse()

    async def _get(self, request: bytes, context: Context) -> Message:
        message = _parse(pb.GetWorkflowRequest, request)
        view = await self._queries.get(convert.workflow_id(message.id), message.user_id)
        _reflects(context, view)
        return convert.owned(view)

    async def _get_by_id(self, request: bytes, context: Context) -> Message:
        message = _parse(pb.GetWorkflowByIDRequest, request)
        view = await self._queries.get_by_id(convert.workflow_id(message.id))
        _reflects(context, view)
        return convert.any_owner(view)

    async def _list(self, request: bytes, _: Context) -> Message:
        message = _parse(pb.ListWorkflowsRequest, request)
        page = await self._queries.page(message.user_id, convert.filters(message), message.cursor)
        return convert.page(page)

    async def _write(self, command: Command, request: bytes, context: Context) -> Done:
        submission = Submission(command, self._origins.of(context))
        # A command is stored twice: in its event and in the current-state row.
        outcome = await self._writes.submit(submission, 2 * len(request), _deadline(context))
        if isinstance(outcome, Exception):
            raise outcome
        context.set_trailing_metadata(_written(outcome))
        return outcome


def _parse(kind: type[M], request: bytes) -> M:
    try:
        return kind.FromString(request)
    except DecodeError as undecodable:
        raise Undecodable from undecodable


def _deadline(context: Context) -> float | None:
    """When the caller stops waiting, by the loop's clock."""
    remaining = context.time_remaining()
    return None if remaining is None else asyncio.get_running_loop().time() + remaining


def _written(done: Done) -> tuple[tuple[str, str], ...]:
    trailing = (
        ("x-workflow-version", str(done.version)),
        ("x-event-position", str(done.position)),
    )
    return (*trailing, ("x-replayed", "true")) if done.replayed else trailing


def _reflects(context: Context, view: View) -> None:
    context.set_trailing_metadata((("x-workflow-version", str(view.version)),))
