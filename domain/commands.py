"""The commands that change a workflow. A command that exists is within all bounds.

Each command carries its time, its ids and, if it needs one, the catalogue: deciding it needs no
clock and no setting. Making one with a bad field raises InvalidFields, which names every bad field
as the contract does.
"""

from dataclasses import field
from datetime import datetime

from domain import fields
from domain.catalogue import Catalogue
from domain.values import value


@value(kw_only=True)
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
    catalogue: Catalogue = field(repr=False, compare=False)
    now: datetime

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("id", fields.workflow_id(self.id)),
            ("user_id", fields.required_text(self.user_id)),
            ("name", fields.name(self.name)),
            ("kind", self.catalogue.kind(self.kind)),
            ("payload", self.catalogue.payload(self.payload, self.kind)),
            ("interval", fields.interval(self.interval)),
            (
                "max_consecutive_job_failures_allowed",
                fields.max_failures(self.max_consecutive_job_failures_allowed),
            ),
            ("idempotency_key", fields.optional_text(self.idempotency_key)),
        )


@value(kw_only=True)
class UpdateWorkflow:
    """Replace name, payload, interval and maximum; a terminated workflow becomes active again.

    Whether the payload fits the workflow's kind is checked when the command is decided.
    """

    id: str
    user_id: str
    name: str
    payload: str
    interval: int
    max_consecutive_job_failures_allowed: int
    idempotency_key: str
    catalogue: Catalogue = field(repr=False, compare=False)
    now: datetime

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("id", fields.workflow_id(self.id)),
            ("user_id", fields.required_text(self.user_id)),
            ("name", fields.name(self.name)),
            ("payload", self.catalogue.form(self.payload)),
            ("interval", fields.interval(self.interval)),
            (
                "max_consecutive_job_failures_allowed",
                fields.max_failures(self.max_consecutive_job_failures_allowed),
            ),
            ("idempotency_key", fields.optional_text(self.idempotency_key)),
        )


@value(kw_only=True)
class UpdateBuildStatus:
    """Record the status of a build.

    A `generation` of 0 is no guard; an empty `user_id` stands for any owner.
    """

    id: str
    user_id: str
    build_status: str
    generation: int
    catalogue: Catalogue = field(repr=False, compare=False)
    now: datetime

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("id", fields.workflow_id(self.id)),
            ("user_id", fields.optional_text(self.user_id)),
            ("build_status", self.catalogue.build_status(self.build_status)),
            ("generation", fields.generation(self.generation)),
        )


@value(kw_only=True)
class IncrementFailures:
    """Count a failed job, once for each `job_id` unless it is empty.

    If `terminate_at_threshold` is true, the failure that reaches the maximum also terminates the
    workflow. An empty `user_id` stands for any owner.
    """

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


@value(kw_only=True)
class ResetFailures:
    """Set the count of failures back to 0. An empty `user_id` stands for any owner."""

    id: str
    user_id: str
    now: datetime

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("id", fields.workflow_id(self.id)),
            ("user_id", fields.optional_text(self.user_id)),
        )


@value(kw_only=True)
class TerminateWorkflow:
    """Terminate a workflow: it stays readable, and an update makes it active again."""

    id: str
    user_id: str
    now: datetime

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("id", fields.workflow_id(self.id)),
            ("user_id", fields.required_text(self.user_id)),
        )


@value(kw_only=True)
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
