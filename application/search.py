"""What events can be found by, and how they are searched for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import NamedTuple, Protocol

from application.ports import Place, Version
from domain.diffs import changes
from domain.events import WorkflowEvent
from domain.workflow import Workflow, evolve

ALWAYS_CHANGED = "updated_at"
"""Every event changes this field, so it is not kept and excludes nothing."""

MOST_FREQUENT = "created"
"""The type of most events: those are found without an index of types."""

UPDATED = "updated"
"""The type of which each event changes other fields: see changed_by."""

_LATER = ("terminated_at", "deleted_at", ALWAYS_CHANGED)

CHANGED: Mapping[str, Sequence[str]] = {
    "created": [field.name for field in fields(Workflow) if field.name not in _LATER],
    UPDATED: [],
    "build_status_changed": ["build_status"],
    "failure_incremented": ["failures"],
    "reset": ["failures"],
    "terminated": ["terminated_at"],
    "deleted": ["deleted_at"],
}
"""The fields that an event of each type changes in any state, but ALWAYS_CHANGED."""


def type_named(stored_name: str) -> str:
    """The type of an event: its stored name without the version of its shape."""
    return stored_name.partition(".")[0]


def caller_of(actor: str) -> str:
    """An actor without the id of its token."""
    return actor.rpartition("#")[0] or actor


def changed_by(before: Workflow | None, event: WorkflowEvent) -> Sequence[str]:
    """The fields that an event changed in a state, but ALWAYS_CHANGED."""
    differing = changes(before, evolve(before, event))
    return [each.field for each in differing if each.field != ALWAYS_CHANGED]


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
