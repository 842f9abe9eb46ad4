"""The seven facts of a workflow's life.

`stored_name` is what the store writes beside each fact. It is a literal, never an import path,
and never changes: a fact of a new shape gets a new stored name and an upcaster for the old one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

REQUESTED = "requested"
FAILURE_THRESHOLD = "failure_threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A workflow came into being, its build pending and its generation 1."""

    stored_name: ClassVar[str] = "created.v1"

    user_id: str
    name: str
    payload: str
    kind: str
    interval: int
    max_failures: int
    log_retention: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStatusChanged:
    """The build of this generation reached another status."""

    stored_name: ClassVar[str] = "build_status_changed.v1"

    build_status: str
    generation: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureIncremented:
    """A job failed; `failures` is the count with it, `job_id` is empty where none was given."""

    stored_name: ClassVar[str] = "failure_incremented.v1"

    failures: int
    job_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """The count of consecutive failures started again at 0."""

    stored_name: ClassVar[str] = "reset.v1"

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminated:
    """The active life ended: on request, or by the job that reached the failure threshold."""

    stored_name: ClassVar[str] = "terminated.v1"

    reason: str
    job_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """The workflow is gone for its users; nothing follows."""

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
