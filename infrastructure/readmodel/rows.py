"""The current-state row of a workflow: the fold of its events; commands are decided on it."""

from collections.abc import Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any
from zlib import crc32

from application.ports import Change, Forgotten, Stream
from domain.filters import folded
from domain.workflow import Workflow

_FIXED = {
    "user_id": "user_id",
    "kind": "kind",
    "log_retention": "log_retention",
    "created_at": "created_at",
}
_CHANGING = {
    "name": "name",
    "payload": "payload",
    "interval_minutes": "interval",
    "max_failures": "max_failures",
    "build_status": "build_status",
    "failures": "failures",
    "generation": "generation",
    "updated_at": "updated_at",
    "terminated_at": "terminated_at",
    "deleted_at": "deleted_at",
}
COLUMNS: Mapping[str, str] = _FIXED | _CHANGING
"""The field of Workflow that each column holds. append_events_vN.sql names the same columns."""

COLUMN_OF: Mapping[str, str] = {field: column for column, field in COLUMNS.items()}
"""The column that holds each field of Workflow."""

STATE_COLUMNS = ", ".join(COLUMN_OF[field.name] for field in fields(Workflow))
"""The columns that `workflow_of` reads, for a SELECT: in the order of Workflow's fields."""

# Names whose folded form differs between ways of folding.
FOLDS = "\u0130stanbul Caf\u00e9 Cafe\u0301 Stra\u00dfe \ufb01 \u03a3\u03c2"


def shape_of(kind: type[Workflow]) -> int:
    """A number that differs if fields, columns or the folding of names differ."""
    declared = [f"{field.name}: {field.type}" for field in fields(kind)]
    return crc32("\n".join([*declared, STATE_COLUMNS, folded(FOLDS)]).encode()) >> 1


ROW_SHAPE = shape_of(Workflow)
"""The shape of today's rows: a row of another shape is replayed from its events instead."""

# An inequality cannot be hashed: so the plan looks into the index for each row, and never reads all
# events into a table of hashes.
USABLE = f"""
    (w.shape = {ROW_SHAPE} AND NOT EXISTS (
        SELECT FROM workflow_events AS later
        WHERE later.originator_id = w.id AND later.originator_version > w.version
    ))
"""
"""Whether the row `w` is of today's shape and not behind its events; NULL if there is no row."""

_all_values = attrgetter(*COLUMNS.values())
_changing_values = attrgetter(*_CHANGING.values())


def workflow_of(columns: tuple[Any, ...]) -> Workflow:
    """The workflow in a row's STATE_COLUMNS."""
    return Workflow(*columns)


def new_row(change: Change) -> dict[str, Any]:
    """The whole row after a change, without its place in stream and feed."""
    return state_row(change.workflow_id, change.workflow)


def state_row(workflow_id: str, workflow: Workflow) -> dict[str, Any]:
    """The whole row of a workflow in this state, without its place in stream and feed."""
    row = dict(zip(COLUMNS, _all_values(workflow), strict=True))
    row["id"] = workflow_id
    row["name_folded"] = folded(workflow.name)
    row["shape"] = ROW_SHAPE
    return row


def moved_row(change: Change, base: Stream) -> dict[str, Any]:
    """The columns that a change can alter; an unchanged payload is not sent again."""
    workflow = change.workflow
    row = dict(zip(_CHANGING, _changing_values(workflow), strict=True))
    row["id"] = change.workflow_id
    row["name_folded"] = folded(workflow.name)
    before = base.workflow
    if not isinstance(before, Forgotten) and workflow.payload == before.payload:
        del row["payload"]
    return row
