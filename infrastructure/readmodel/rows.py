"""The current-state row of a workflow: fold of its events, and snapshot for its next command."""

from typing import Any

from application.ports import Change, Stream
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


def new_row(change: Change) -> dict[str, Any]:
    """The whole row after a change, but for its place in stream and feed."""
    workflow = change.workflow
    return {
        **_changeable(change.workflow_id, workflow),
        "user_id": workflow.user_id,
        "payload": workflow.payload,
        "kind": workflow.kind,
        "log_retention": workflow.log_retention,
        "created_at": workflow.created_at,
        "shape": SHAPE,
    }


def moved_row(change: Change, base: Stream) -> dict[str, Any]:
    """What a change can alter in a row; a payload that stays is not sent again."""
    workflow = change.workflow
    row = _changeable(change.workflow_id, workflow)
    if workflow.payload != base.workflow.payload:
        row["payload"] = workflow.payload
    return row


def _changeable(workflow_id: str, workflow: Workflow) -> dict[str, Any]:
    return {
        "id": workflow_id,
        "name": workflow.name,
        "name_folded": folded(workflow.name),
        "interval_minutes": workflow.interval,
        "max_failures": workflow.max_failures,
        "build_status": workflow.build_status,
        "failures": workflow.failures,
        "generation": workflow.generation,
        "updated_at": workflow.updated_at,
        "terminated_at": workflow.terminated_at,
        "deleted_at": workflow.deleted_at,
    }
