"""Every shape in which an event was ever written, and how each is lifted to today's fact.

A shape is never edited and never removed: rows written in it stay for ever. When a fact changes,
its new shape gets a new stored name here, and `lift` of the older shapes returns the new fact.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import Meta, Struct
from msgspec.json import Decoder

from domain.events import (
    BuildStatusChanged,
    Created,
    Deleted,
    FailureIncremented,
    Reset,
    Terminated,
    Updated,
    WorkflowEvent,
)

Moment = Annotated[datetime, Meta(tz=True)]


class Shape(Struct, forbid_unknown_fields=True, kw_only=True):
    """The stored fields of an event; any other form is damage."""

    at: Moment

    def lift(self) -> WorkflowEvent:
        """The fact of today that these fields stand for."""
        raise NotImplementedError


class CreatedV1(Shape):
    """created.v1"""

    user_id: str
    name: str
    payload: str
    kind: str
    interval: int
    max_failures: int
    log_retention: bool
    build_status: str

    def lift(self) -> Created:
        return Created(
            user_id=self.user_id,
            name=self.name,
            payload=self.payload,
            kind=self.kind,
            interval=self.interval,
            max_failures=self.max_failures,
            log_retention=self.log_retention,
            build_status=self.build_status,
            at=self.at,
        )


class UpdatedV1(Shape):
    """updated.v1"""

    name: str
    payload: str
    interval: int
    max_failures: int
    build_status: str
    generation: int

    def lift(self) -> Updated:
        return Updated(
            name=self.name,
            payload=self.payload,
            interval=self.interval,
            max_failures=self.max_failures,
            build_status=self.build_status,
            generation=self.generation,
            at=self.at,
        )


class BuildStatusChangedV1(Shape):
    """build_status_changed.v1"""

    build_status: str
    generation: int

    def lift(self) -> BuildStatusChanged:
        return BuildStatusChanged(
            build_status=self.build_status, generation=self.generation, at=self.at
        )


class FailureIncrementedV1(Shape):
    """failure_incremented.v1"""

    failures: int
    job_id: str

    def lift(self) -> FailureIncremented:
        return FailureIncremented(failures=self.failures, job_id=self.job_id, at=self.at)


class ResetV1(Shape):
    """reset.v1"""

    def lift(self) -> Reset:
        return Reset(at=self.at)


class TerminatedV1(Shape):
    """terminated.v1"""

    reason: Literal["requested", "failure_threshold"]
    job_id: str

    def lift(self) -> Terminated:
        return Terminated(reason=self.reason, job_id=self.job_id, at=self.at)


class DeletedV1(Shape):
    """deleted.v1"""

    def lift(self) -> Deleted:
        return Deleted(at=self.at)


S = TypeVar("S", bound=Shape)


class Content(Struct, Generic[S], forbid_unknown_fields=True):
    """The part of an event that can be erased: the fact, and its cause."""

    event: S
    actor: str
    request_id: str
    acted_for: str = ""
    method: str = ""
    trace_id: str = ""
    idempotency_key: str = ""
    policy: str = ""
    preceding_version: int = 0


SHAPES: Mapping[str, type[Shape]] = {
    "created.v1": CreatedV1,
    "updated.v1": UpdatedV1,
    "build_status_changed.v1": BuildStatusChangedV1,
    "failure_incremented.v1": FailureIncrementedV1,
    "reset.v1": ResetV1,
    "terminated.v1": TerminatedV1,
    "deleted.v1": DeletedV1,
}

CONTENTS: Mapping[str, Decoder[Content[Any]]] = {
    name: Decoder(Content[shape])  # type: ignore[valid-type] # a class made at run time
    for name, shape in SHAPES.items()
}
"""Reads the content of an event, by its stored name."""
