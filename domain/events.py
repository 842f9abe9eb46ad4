"""The seven events of a workflow.

`stored_name` is what the store writes beside an event. It is a literal, never an import path, and
never changes: an event of a new shape gets a new stored name, and the old one is lifted when read.
"""

from datetime import datetime
from typing import ClassVar

from domain.values import value

REQUESTED = "requested"
FAILURE_THRESHOLD = "failure_threshold"


@value(kw_only=True)
class Created:
    """A workflow was created, with generation 1."""

    stored_name: ClassVar[str] = "created.v1"

    user_id: str
    name: str
    payload: str
    kind: str
    interval: int
    max_failures: int
    log_retention: bool
    build_status: str
    at: datetime


@value(kw_only=True)
class Updated:
    """The owner replaced what the workflow is: it is active and its failure count is 0."""

    stored_name: ClassVar[str] = "updated.v1"

    name: str
    payload: str
    interval: int
    max_failures: int
    build_status: str
    generation: int
    at: datetime


@value(kw_only=True)
class BuildStatusChanged:
    """The build of this generation has another status now."""

    stored_name: ClassVar[str] = "build_status_changed.v1"

    build_status: str
    generation: int
    at: datetime


@value(kw_only=True)
class FailureIncremented:
    """A job failed. `failures` is the count including it; `job_id` is empty if none was given."""

    stored_name: ClassVar[str] = "failure_incremented.v1"

    failures: int
    job_id: str
    at: datetime


@value(kw_only=True)
class Reset:
    """The count of consecutive failures was set back to 0."""

    stored_name: ClassVar[str] = "reset.v1"

    at: datetime


@value(kw_only=True)
class Terminated:
    """The workflow was terminated: on request, or by the job that reached the maximum of failures.

    `reason` is REQUESTED or FAILURE_THRESHOLD.
    """

    stored_name: ClassVar[str] = "terminated.v1"

    reason: str
    job_id: str
    at: datetime


@value(kw_only=True)
class Deleted:
    """The workflow was removed from Get and List; no event follows."""

    stored_name: ClassVar[str] = "deleted.v1"

    at: datetime


WorkflowEvent = (
    Created | Updated | BuildStatusChanged | FailureIncremented | Reset | Terminated | Deleted
)
EVENT_TYPES: tuple[type[WorkflowEvent], ...] = (
    Created,
    Updated,
    BuildStatusChanged,
    FailureIncremented,
    Reset,
    Terminated,
    Deleted,
)
