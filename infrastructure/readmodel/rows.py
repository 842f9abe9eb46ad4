"""The current-state row of a workflow: fold of its events, and snapshot for its next command."""

from collections.abc import Mapping
from typing import Any

from application.ports import Change
from domain.filters import folded
from domain.workflow import Workflow

SHAPE = 1
"""Changes whenever Workflow does: a row of another shape is replayed from its events instead."""

STATE_COLUMNS = (
    "user_id, name, payload, kind, interval_minutes, max_failures, log_retention, build_status,"
    " failures, generation, created_at, updated_at, terminated_at, deleted_at"
)


def workflow_of(columns: tuple[Any, ...]) -> Workflow:
    """The workflow in a row's STATE_COLUMNS."""
    (
        user_id,
        name,
        payload,
        kind,
        interval,
        max_failures,
        log_retention,
        build_status,
        failures,
        generation,
        created_at,
        updated_at,
        terminated_at,
        deleted_at,
    ) = columns
    return Workflow(
        user_id=user_id,
        name=name,
        payload=payload,
        kind=kind,
        interval=interval,
        max_failures=max_failures,
        log_retention=log_retention,
        build_status=build_status,
        failures=failures,
        generation=generation,
        created_at=created_at,
        updated_at=updated_at,
        terminated_at=terminated_at,
        deleted_at=deleted_at,
    )


def row_of(change: Change, digest: bytes, first: int, last: int) -> Mapping[str, Any]:
    """The row after a change whose last event has this digest, as append_events() reads it.

    `first` and `last` are the offsets of the change's events in its append, counted from 1.

    A payload that stays is not sent again: it may be large, and the database has it.
    """
    workflow, base = change.workflow, change.base
    kept = base is not None and not base.replayed and base.workflow.payload == workflow.payload
    return {
        "id": change.workflow_id,
        "first": first,
        "last": last,
        "user_id": workflow.user_id,
        "name": workflow.name,
        "name_folded": folded(workflow.name),
        "payload": None if kept else workflow.payload,
        "kind": workflow.kind,
        "interval_minutes": workflow.interval,
        "max_failures": workflow.max_failures,
        "log_retention": workflow.log_retention,
        "build_status": workflow.build_status,
        "failures": workflow.failures,
        "generation": workflow.generation,
        "created_at": workflow.created_at,
        "updated_at": workflow.updated_at,
        "terminated_at": workflow.terminated_at,
        "deleted_at": workflow.deleted_at,
        "version": change.version,
        "digest": digest.hex(),
        "shape": SHAPE,
    }
