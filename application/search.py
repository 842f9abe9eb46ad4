"""What events can be found by, and how they are searched for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from application.ports import Forgotten, Place, RecordedEvent, Version
from domain.diffs import changes
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
from domain.workflow import Workflow, evolve

ALWAYS_CHANGED = "updated_at"
"""Every event changes this field, so it is not kept and excludes nothing."""

MOST_FREQUENT = "created"
"""The type of most events: those are found without an index of types."""

_CHANGED: Mapping[type[WorkflowEvent], tuple[str, ...]] = {
    BuildStatusChanged: ("build_status",),
    FailureIncremented: ("failures",),
    Reset: ("failures",),
    Terminated: ("terminated_at",),
    Deleted: ("deleted_at",),
}
"""The fields that an event changes in whatever state it happens."""


def type_of(event: WorkflowEvent) -> str:
    """The type of an event: its stored name without the version of its shape."""
    return type_named(event.stored_name)


def type_named(stored_name: str) -> str:
    """The type of an event by its stored name."""
    return stored_name.partition(".")[0]


def caller_of(actor: str) -> str:
    """An actor without the id of its token."""
    return actor.rpartition("#")[0] or actor


def changed_fields(before: Workflow | None, event: WorkflowEvent) -> tuple[str, ...]:
    """The fields that an event changed, but ALWAYS_CHANGED.

    `before` is the state before it. It is looked at for an Updated only: every other event changes
    the same fields in any state.
    """
    known = _CHANGED.get(type(event))
    if known is not None:
        return known
    differing = changes(before, evolve(before, event))
    return tuple(each.field for each in differing if each.field != ALWAYS_CHANGED)


class SearchEntry(NamedTuple):
    """By what an event is found. `user_id` is empty if only an earlier event tells it."""

    position: int
    workflow_id: str
    version: int
    user_id: str
    type: str
    changed_fields: Sequence[str]
    actor: str
    caller: str
    request_id: str
    trace_id: str | None
    key: str | None
    job_id: str | None
    recorded_at: datetime


def entry_of(recorded: RecordedEvent, before: Workflow | None) -> SearchEntry | None:
    """The entry of an event; None if it, or what it changed, was erased.

    See changed_fields for `before`.
    """
    event, metadata = recorded.event, recorded.metadata
    if isinstance(event, Forgotten) or isinstance(metadata, Forgotten):
        return None
    if before is None and needs_state(recorded):
        return None
    origin = metadata.origin
    return SearchEntry(
        recorded.position,
        recorded.workflow_id,
        recorded.version,
        event.user_id if isinstance(event, Created) else "",
        type_of(event),
        changed_fields(before, event),
        origin.actor,
        caller_of(origin.actor),
        origin.request_id,
        origin.trace_id or None,
        metadata.idempotency_key or None,
        event.job_id or None if isinstance(event, FailureIncremented | Terminated) else None,
        recorded.recorded_at,
    )


def needs_state(recorded: RecordedEvent) -> bool:
    """Whether the fields that an event changed depend on the state before it."""
    return isinstance(recorded.event, Updated)


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What events must match: all that is set. Empty and None mean not set."""

    user_id: str = ""
    workflow_id: str = ""
    types: frozenset[str] = frozenset()
    actor: str = ""
    changed_field: str = ""
    request_id: str = ""
    trace_id: str = ""
    idempotency_key: str = ""
    job_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Found(NamedTuple):
    """Events that match, and the position after which the search goes on; None at its end."""

    versions: Sequence[Version]
    following: int | None


class EventSearch(Protocol):
    """Finds events. For one thread. Each method raises StoreUnavailable."""

    def place(self) -> Place:
        """Up to which position events can be found."""
        ...

    def find(
        self, criteria: Criteria, *, beyond: int | None, limit: int, newest_first: bool
    ) -> Found:
        """At most `limit` events that match, in the order of positions, beyond a position.

        So many entries are looked at that it takes well below a second: then it ends early, and
        may have found none.
        """
        ...
