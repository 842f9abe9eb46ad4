"""A model of the service as the contract describes it, in memory and as simple as possible.

It holds for a service with the default catalogue that terminates at the threshold. It shares no
code with the service, so a fault of the service is not in the model, too.
"""

from dataclasses import dataclass, field
from typing import Any

import grpc

NOT_FOUND = grpc.StatusCode.NOT_FOUND
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
ALREADY_EXISTS = grpc.StatusCode.ALREADY_EXISTS

BUILD_STATUSES = ("pending", "building", "success", "failed", "canceled")
"""The statuses of a build; the first is a new workflow's."""

Request = dict[str, Any]


@dataclass(frozen=True)
class Expected:
    """An answer: the workflow, its version, the position reached, whether the threshold was."""

    workflow_id: str
    version: int
    position: int
    threshold_reached: bool = False
    replayed: bool = False


@dataclass
class Workflow:
    """A workflow as its owner thinks of it."""

    id: str
    user: str
    asked: Request
    build_status: str = BUILD_STATUSES[0]
    failures: int = 0
    generation: int = 1
    terminated: bool = False
    deleted: bool = False
    version: int = 1
    position: int = 0
    jobs: dict[str, Expected] = field(default_factory=dict)

    def shown(self) -> Request:
        """The fields that a read must show; times are left out."""
        return {
            **self.asked,
            "id": self.id,
            "build_status": self.build_status,
            "consecutive_job_failures_count": self.failures,
            "generation": self.generation,
        }

    def meets(self, filters: Request) -> bool:
        """Whether a list with these filters shows it."""
        interval = self.asked["interval"]
        return (
            not self.deleted
            and filters.get("query", "").lower() in self.asked["name"].lower()
            and filters.get("kind", self.asked["kind"]) == self.asked["kind"]
            and filters.get("build_status", self.build_status) == self.build_status
            and (self.terminated or not filters.get("is_terminated"))
            and filters.get("interval_min", interval) <= interval
            and filters.get("interval_max", interval) >= interval
        )


class Model:
    """All workflows, and what was answered under each key."""

    def __init__(self) -> None:
        self.workflows: dict[str, Workflow] = {}
        self.position = 0  # of the last event in the feed
        self.created: dict[tuple[str, str], tuple[Request, Expected]] = {}
        self.updated: dict[tuple[str, str], tuple[Request, Expected]] = {}

    def repeated_create(
        self, user: str, key: str, asked: Request
    ) -> grpc.StatusCode | Expected | None:
        """The answer of a creation whose key was used before; None for a new workflow."""
        earlier = self.created.get((user, key))
        return _repeated(earlier, asked) if earlier else None

    def born(self, workflow_id: str, user: str, key: str, asked: Request) -> Expected:
        """The result of a creation; the service chose the id."""
        self.position += 1
        workflow = Workflow(workflow_id, user, asked, position=self.position)
        self.workflows[workflow_id] = workflow
        answer = self._answer(workflow, 0)
        if key:
            self.created[user, key] = (asked, answer)
        return answer

    def update(
        self, workflow_id: str, user: str, key: str, asked: Request
    ) -> grpc.StatusCode | Expected:
        """A full replacement of a workflow's fields, except its kind and log retention."""
        if earlier := self.updated.get((workflow_id, key)):
            theirs = user != self.workflows[workflow_id].user
            return NOT_FOUND if theirs else _repeated(earlier, asked)
        workflow = self.visible(workflow_id, user)
        if workflow is None:
            return NOT_FOUND
        before, revived = workflow.asked, workflow.terminated
        workflow.asked = {**before, **asked}
        happened = workflow.asked != before or workflow.failures > 0 or revived
        workflow.failures = 0
        workflow.terminated = False
        if revived or workflow.asked["payload"] != before["payload"]:
            workflow.build_status = BUILD_STATUSES[0]
        changed = [name for name in ("payload", "interval") if workflow.asked[name] != before[name]]
        workflow.generation += bool(changed or revived)
        answer = self._answer(workflow, int(happened))
        if key:
            self.updated[workflow_id, key] = (asked, answer)
        return answer

    def build(
        self, workflow_id: str, user: str, status: str, generation: int
    ) -> grpc.StatusCode | Expected:
        """A report of a build's status."""
        workflow = self._active(workflow_id, user)
        if not isinstance(workflow, Workflow):
            return workflow
        if generation not in (0, workflow.generation):
            return FAILED_PRECONDITION
        happened = status != workflow.build_status
        workflow.build_status = status
        return self._answer(workflow, int(happened))

    def increment(self, workflow_id: str, user: str, job: str) -> grpc.StatusCode | Expected:
        """A failed job, which counts once."""
        workflow = self.workflows[workflow_id]
        if job in workflow.jobs:
            theirs = user not in ("", workflow.user)
            return NOT_FOUND if theirs else _replay(workflow.jobs[job])
        found = self._active(workflow_id, user)
        if not isinstance(found, Workflow):
            return found
        workflow.failures += 1
        reached = workflow.failures >= workflow.asked["max_consecutive_job_failures_allowed"]
        workflow.terminated = reached
        answer = self._answer(workflow, 2 if reached else 1, reached)
        if job:
            workflow.jobs[job] = answer
        return answer

    def reset(self, workflow_id: str, user: str) -> grpc.StatusCode | Expected:
        """The count of failures starts again."""
        workflow = self._active(workflow_id, user)
        if not isinstance(workflow, Workflow):
            return workflow
        happened = workflow.failures > 0
        workflow.failures = 0
        return self._answer(workflow, int(happened))

    def terminate(self, workflow_id: str, user: str) -> grpc.StatusCode | Expected:
        """The end of the active life, which happens once."""
        workflow = self.visible(workflow_id, user)
        if workflow is None:
            return NOT_FOUND
        happened = not workflow.terminated
        workflow.terminated = True
        return self._answer(workflow, int(happened))

    def delete(self, workflow_id: str, user: str) -> grpc.StatusCode | Expected:
        """The end of a workflow, from any state."""
        workflow = self.visible(workflow_id, user)
        if workflow is None:
            return NOT_FOUND
        workflow.deleted = True
        return self._answer(workflow, 1)

    def listed(self, user: str, filters: Request) -> list[str]:
        """The ids that a list shows, newest first."""
        owned = [w for w in self.workflows.values() if w.user == user]
        return [w.id for w in reversed(owned) if w.meets(filters)]

    @property
    def counted(self) -> list[tuple[str, str]]:
        """The workflows and jobs that were counted."""
        return [(w.id, job) for w in self.workflows.values() for job in w.jobs]

    def visible(self, workflow_id: str, user: str) -> Workflow | None:
        """The workflow, if this caller may see it."""
        workflow = self.workflows[workflow_id]
        return None if workflow.deleted or user not in ("", workflow.user) else workflow

    def _active(self, workflow_id: str, user: str) -> Workflow | grpc.StatusCode:
        workflow = self.visible(workflow_id, user)
        if workflow is None:
            return NOT_FOUND
        return FAILED_PRECONDITION if workflow.terminated else workflow

    def _answer(self, workflow: Workflow, events: int, reached: bool = False) -> Expected:
        if events:
            self.position += events
            workflow.version += events
            workflow.position = self.position
        return Expected(workflow.id, workflow.version, workflow.position, reached)


def _repeated(earlier: tuple[Request, Expected], request: Request) -> grpc.StatusCode | Expected:
    return _replay(earlier[1]) if earlier[0] == request else ALREADY_EXISTS


def _replay(answer: Expected) -> Expected:
    return Expected(
        answer.workflow_id, answer.version, answer.position, answer.threshold_reached, replayed=True
    )
