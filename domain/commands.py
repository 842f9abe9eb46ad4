"""What may be asked of a workflow. A command that exists is within all bounds.

Each command brings its time and its ids with it, so that deciding it needs no clock. Making one
with a bad field raises InvalidFields, which names every bad field as the contract names it.
"""

from dataclasses import dataclass
from datetime import datetime

from domain import fields, payloads


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateWorkflow:
    """Create a workflow under the new id that the command carries.

    `log_retention` is None if the request leaves it to the kind's default.
    """

    id: str
    user_id: str
    name: str
    payload: str
    kind: str
    interval: int
    max_consecutive_job_failures_allowed: int
    log_retention: bool | None
    idempotency_key: str
    now: datetime

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("id", fields.workflow_id(self.id)),
            ("user_id", fields.required_text(self.user_id)),
            ("name", fields.required_text(self.name)),
            ("kind", fields.kind(self.kind)),
            ("payload", payloads.for_kind(self.payload, self.kind)),
            ("interval", fields.interval(self.interval)),
            (
                "max_consecutive_job_failures_allowed",
                fields.max_failures(self.max_consecutive_job_failures_allowed),
            ),
            ("idempotency_key", fields.optional_text(self.idempotency_key)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateWorkflow:
    """Replace name, payload, interval and maximum; the kind's rules are checked on deciding."""

    id: str
    user_id: str
    name: str
    payload: str
    interval: int
    max_consecutive_job_failures_allowed: int
    idempotency_key: str
    now: datetime

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("id", fields.workflow_id(self.id)),
            ("user_id", fields.required_text(self.user_id)),
            ("name", fields.required_text(self.name)),
            ("payload", payloads.form(self.payload)),
            ("interval", fields.interval(self.interval)),
            (
                "max_consecutive_job_failures_allowed",
                fields.max_failures(self.max_consecutive_job_failures_allowed),
            ),
            ("idempotency_key", fields.optional_text(self.idempotency_key)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateBuildStatus:
    """Record the status of a build; a generation of 0 does not guard, an empty owner is any."""

    id: str
    user_id: str
    build_status: str
    generation: int
    now: datetime

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("id", fields.workflow_id(self.id)),
            ("user_id", fields.optional_text(self.user_id)),
            ("build_status", fields.build_status(self.build_status)),
            ("generation", fields.generation(self.generation)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IncrementFailures:
    """Count a failed job, once for each non-empty job id; an empty owner is any."""

    id: str
    user_id: str
    job_id: str
    terminate_at_threshold: bool
    now: datetime

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("id", fields.workflow_id(self.id)),
            ("user_id", fields.optional_text(self.user_id)),
            ("job_id", fields.optional_text(self.job_id)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetFailures:
    """Set the count of failures back to 0; an empty owner is any."""

    id: str
    user_id: str
    now: datetime

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("id", fields.workflow_id(self.id)),
            ("user_id", fields.optional_text(self.user_id)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateWorkflow:
    """End the active life of a workflow."""

    id: str
    user_id: str
    now: datetime

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("id", fields.workflow_id(self.id)),
            ("user_id", fields.required_text(self.user_id)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteWorkflow:
    """Remove a workflow, whatever its state."""

    id: str
    user_id: str
    now: datetime

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("id", fields.workflow_id(self.id)),
            ("user_id", fields.required_text(self.user_id)),
        )


Command = (
    CreateWorkflow
    | UpdateWorkflow
    | UpdateBuildStatus
    | IncrementFailures
    | ResetFailures
    | TerminateWorkflow
    | DeleteWorkflow
)
