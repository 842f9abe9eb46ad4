"""Every refusal of the domain, each with its data.

WorkflowError
├── InvalidFields         one or more fields are outside their bounds
├── WorkflowNotFound      there is no such workflow for this caller
├── WorkflowExists        the id of a new workflow is taken
├── WorkflowTerminated    the workflow is terminated until its owner updates it
├── StaleGeneration       the status belongs to an earlier generation
└── IdempotencyKeyReused  the key was used with another request
"""

from collections.abc import Sequence
from datetime import datetime

from domain.values import value


class WorkflowError(Exception):
    """A command or query was refused; nothing was recorded."""


@value()
class Violation:
    """A field that is outside its bounds. `reason` tells what is wrong and what is accepted."""

    field: str
    reason: str


class InvalidFields(WorkflowError):
    """One or more fields are outside their bounds; each is named."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__("; ".join(f"{v.field} {v.reason}" for v in self.violations))


class WorkflowNotFound(WorkflowError):
    """The workflow does not exist, is deleted, or belongs to another user."""

    def __init__(self, workflow_id: str) -> None:
        self.workflow_id = workflow_id
        super().__init__(f"There is no workflow {workflow_id} of this user.")


class WorkflowExists(WorkflowError):
    """The id of the new workflow belongs to another workflow."""

    def __init__(self, workflow_id: str) -> None:
        self.workflow_id = workflow_id
        super().__init__(f"Workflow {workflow_id} exists already.")


class WorkflowTerminated(WorkflowError):
    """The workflow is terminated: builds and failures are not accepted until it is updated."""

    def __init__(self, workflow_id: str, terminated_at: datetime) -> None:
        self.workflow_id = workflow_id
        self.terminated_at = terminated_at
        super().__init__(
            f"Workflow {workflow_id} is terminated."
            " An UpdateWorkflow by its owner makes it active again."
        )


class StaleGeneration(WorkflowError):
    """A build status arrived for a generation that is not the current one."""

    def __init__(self, workflow_id: str, given: int, current: int) -> None:
        self.workflow_id = workflow_id
        self.given = given
        self.current = current
        super().__init__(
            f"Generation {given} of workflow {workflow_id} is not the current one, {current}."
            " Build the current generation and report its status."
        )


class IdempotencyKeyReused(WorkflowError):
    """An idempotency key was used before, with another request."""

    def __init__(self, workflow_id: str) -> None:
        self.workflow_id = workflow_id
        super().__init__(
            "This idempotency key was used before with another request."
            " Repeat that request unchanged, or use a new key."
        )
