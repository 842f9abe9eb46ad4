"""Records stories by calls to the service; steps that are recorded already are not repeated."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import assert_never

import grpc
from workflows import workflows_pb2 as pb
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

from infrastructure.cli.seed.stories import (
    Build,
    Change,
    Delete,
    Fail,
    Reset,
    Step,
    Story,
    Terminate,
)
from infrastructure.client.channel import has_code, trailing_of

ANSWER_WITHIN = 10.0  # seconds

# The workflow was deleted or terminated by somebody else: its story is over.
_OVER = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION)


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in a story: the workflow after that step, and an idempotency key for that step."""

    id: str
    workflow: Story
    key: str


class Storyteller:
    """Records stories through the methods of the service."""

    def __init__(self, service: WorkflowsServiceStub) -> None:
        self._service = service

    def tell(self, story: Story) -> int:
        """Records the steps that are new. Returns their count, which includes the creation."""
        created, call = self._service.CreateWorkflow.with_call(
            _creation(story), timeout=ANSWER_WITHIN
        )
        heard = trailing_of(call).get("x-replayed") == "true"
        told = 0 if heard else 1
        try:
            version = self._version(story, created.id) if heard else 1
            for step, place in _steps_after(version, story, created.id):
                self._tell_step(step, place)
                told += 1
        except grpc.RpcError as error:
            if not has_code(error, *_OVER):
                raise
        return told

    def _version(self, story: Story, workflow_id: str) -> int:
        """The version of a workflow: each step of its story added one."""
        request = pb.GetWorkflowRequest(id=workflow_id, user_id=story.user)
        _, call = self._service.GetWorkflow.with_call(request, timeout=ANSWER_WITHIN)
        return int(trailing_of(call)["x-workflow-version"])

    def _tell_step(self, step: Step, place: _Place) -> None:
        service, user = self._service, place.workflow.user
        match step:
            case Build():
                build = pb.UpdateWorkflowBuildStatusRequest(
                    id=place.id, user_id=user, build_status=step.status
                )
                service.UpdateWorkflowBuildStatus(build, timeout=ANSWER_WITHIN)
            case Fail():
                failure = pb.IncrementWorkflowConsecutiveJobFailuresCountRequest(
                    id=place.id, user_id=user, job_id=place.key
                )
                service.IncrementWorkflowConsecutiveJobFailuresCount(failure, timeout=ANSWER_WITHIN)
            case Reset():
                reset = pb.ResetWorkflowConsecutiveJobFailuresCountRequest(
                    id=place.id, user_id=user
                )
                service.ResetWorkflowConsecutiveJobFailuresCount(reset, timeout=ANSWER_WITHIN)
            case Change():
                service.UpdateWorkflow(_replacement(place), timeout=ANSWER_WITHIN)
            case Terminate():
                end = pb.TerminateWorkflowRequest(id=place.id, user_id=user)
                service.TerminateWorkflow(end, timeout=ANSWER_WITHIN)
            case Delete():
                deletion = pb.DeleteWorkflowRequest(id=place.id, user_id=user)
                service.DeleteWorkflow(deletion, timeout=ANSWER_WITHIN)
            case _:
                assert_never(step)


def _steps_after(version: int, story: Story, workflow_id: str) -> Iterator[tuple[Step, _Place]]:
    """The steps of a story that lead beyond a version, each with its place."""
    workflow = story
    for leads_to, step in enumerate(story.steps, start=2):
        workflow = _after(workflow, step)
        if leads_to > version:
            yield step, _Place(workflow_id, workflow, f"{story.key}/{leads_to}")


def _after(workflow: Story, step: Step) -> Story:
    """The workflow as it is after a step."""
    if not isinstance(step, Change):
        return workflow
    return replace(
        workflow,
        name=step.name or workflow.name,
        payload=step.payload or workflow.payload,
        every=step.every or workflow.every,
    )


def _creation(story: Story) -> pb.CreateWorkflowRequest:
    return pb.CreateWorkflowRequest(
        user_id=story.user,
        name=story.name,
        kind=story.kind,
        payload=json.dumps(story.payload),
        interval=story.every,
        max_consecutive_job_failures_allowed=story.allowed,
        log_retention=story.kind != "http",
        idempotency_key=story.key,
    )


def _replacement(place: _Place) -> pb.UpdateWorkflowRequest:
    return pb.UpdateWorkflowRequest(
        id=place.id,
        user_id=place.workflow.user,
        name=place.workflow.name,
        payload=json.dumps(place.workflow.payload),
        interval=place.workflow.every,
        max_consecutive_job_failures_allowed=place.workflow.allowed,
        idempotency_key=place.key,
    )
