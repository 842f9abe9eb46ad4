"""From the application's outcomes to replies of the contract, with their trailing metadata."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache

from google.protobuf.message import Message
from workflows import workflows_pb2 as pb

from application.draft import Done
from application.ports import ListedWorkflow, View
from application.queries import Page
from infrastructure.contract import (
    FEED_KEY,
    POSITION_KEY,
    REPLAYED_KEY,
    UNREADABLE_KEY,
    UNREADABLE_SHOWN,
    VERSION_KEY,
)
from infrastructure.rpc.method import Rendered
from infrastructure.wire.calls import Metadata


def timestamp(moment: datetime | None) -> str:
    """RFC 3339 in UTC with microseconds; empty for None. The moment must be in UTC."""
    return "" if moment is None else moment.isoformat(timespec="microseconds")[:26] + "Z"


def done(message: Callable[[], Message]) -> Callable[[Done], Rendered]:
    """A renderer of changes whose reply is an empty message."""
    return lambda done: (message(), _written(done))


def created(done: Done) -> Rendered:
    """The id of a new workflow."""
    return pb.CreateWorkflowResponse(id=done.workflow_id), _written(done)


def incremented(done: Done) -> Rendered:
    """Whether the failures have reached their maximum."""
    message = pb.IncrementWorkflowConsecutiveJobFailuresCountResponse(
        threshold_reached=done.threshold_reached
    )
    return message, _written(done)


def own_workflow(view: View) -> Rendered:
    """A workflow as its owner sees it."""
    workflow = view.workflow
    message = pb.GetWorkflowResponse(
        id=view.id,
        name=workflow.name,
        payload=workflow.payload,
        kind=workflow.kind,
        build_status=workflow.build_status,
        interval=workflow.interval,
        consecutive_job_failures_count=workflow.failures,
        max_consecutive_job_failures_allowed=workflow.max_failures,
        created_at=timestamp(workflow.created_at),
        updated_at=timestamp(workflow.updated_at),
        terminated_at=timestamp(workflow.terminated_at),
        log_retention=workflow.log_retention,
        generation=workflow.generation,
    )
    return message, _reflects(view)


def any_workflow(view: View) -> Rendered:
    """A workflow as other services see it: with its owner."""
    workflow = view.workflow
    message = pb.GetWorkflowByIDResponse(
        id=view.id,
        user_id=workflow.user_id,
        name=workflow.name,
        payload=workflow.payload,
        kind=workflow.kind,
        build_status=workflow.build_status,
        interval=workflow.interval,
        consecutive_job_failures_count=workflow.failures,
        max_consecutive_job_failures_allowed=workflow.max_failures,
        created_at=timestamp(workflow.created_at),
        updated_at=timestamp(workflow.updated_at),
        terminated_at=timestamp(workflow.terminated_at),
        log_retention=workflow.log_retention,
        generation=workflow.generation,
    )
    return message, _reflects(view)


def page(found: Page) -> Rendered:
    """A page of a list."""
    message = pb.ListWorkflowsResponse(cursor=found.cursor)
    fill(message.workflows.add, found.workflows)
    if not found.unreadable:
        return message, ()
    return message, ((UNREADABLE_KEY, ",".join(found.unreadable[:UNREADABLE_SHOWN])),)


def fill(
    add: Callable[[], pb.WorkflowsByUserIDResponse], workflows: Iterable[ListedWorkflow]
) -> None:
    """Adds the workflows of a page to a message.

    Written for speed, since a page has many workflows: messages that are there already are filled
    field by field, defaults are left out, and what a page shows again is not written anew.
    """
    for (
        workflow_id, name, payload, kind, build_status, interval, failures, max_failures,
        log_retention, created_at, updated_at, terminated_at, _,
    ) in workflows:  # fmt: skip
        listed = add()
        listed.id = workflow_id
        listed.name = name
        listed.payload = payload
        listed.kind = kind
        listed.build_status = build_status
        listed.interval = interval
        listed.max_consecutive_job_failures_allowed = max_failures
        listed.created_at = written = _shown_again(created_at)
        listed.updated_at = written if updated_at == created_at else _shown_again(updated_at)
        if failures:
            listed.consecutive_job_failures_count = failures
        if log_retention:
            listed.log_retention = True
        if terminated_at:
            listed.terminated_at = _shown_again(terminated_at)


_shown_again = lru_cache(maxsize=16_384)(timestamp)
"""Timestamps of lists: clients look at the same pages again and again."""


def _written(done: Done) -> Metadata:
    trailing = (
        (VERSION_KEY, str(done.version)),
        (POSITION_KEY, str(done.position)),
        (FEED_KEY, done.feed.text),
    )
    return (*trailing, (REPLAYED_KEY, "true")) if done.replayed else trailing


def _reflects(view: View) -> Metadata:
    return ((VERSION_KEY, str(view.version)),)
