"""Requests about an example workflow; a test names only what matters to it."""

from typing import Any

from workflows import workflows_pb2 as pb

HTTP = '{"url": "https://example.com/hook"}'
OTHER_HTTP = '{"url": "https://example.com/other"}'
DOCKER = '{"image": "alpine:3"}'
SCRIPT = '{"run": "true"}'
PAYLOADS = {"http": HTTP, "docker": DOCKER, "script": SCRIPT}
OTHER_PAYLOADS = {kind: f" {payload}" for kind, payload in PAYLOADS.items()}
ABSENT = "0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f"
"""The id of no workflow."""


def create(user: str, **differing: Any) -> pb.CreateWorkflowRequest:
    """ "nightly": http, every 5 minutes, ended by 3 failures."""
    return pb.CreateWorkflowRequest(
        **{
            "user_id": user,
            "name": "nightly",
            "kind": "http",
            "payload": PAYLOADS.get(differing.get("kind", "http"), HTTP),
            "interval": 5,
            "max_consecutive_job_failures_allowed": 3,
            **differing,
        }
    )


def update(workflow_id: str, user: str, **differing: Any) -> pb.UpdateWorkflowRequest:
    """A replacement of the example workflow by itself, if nothing differs."""
    return pb.UpdateWorkflowRequest(
        **{
            "id": workflow_id,
            "user_id": user,
            "name": "nightly",
            "payload": HTTP,
            "interval": 5,
            "max_consecutive_job_failures_allowed": 3,
            **differing,
        }
    )


def page(user: str, cursor: str = "", **filters: Any) -> pb.ListWorkflowsRequest:
    """A page of a list; without filters, the message of filters is absent."""
    wanted = pb.ListWorkflowsFilters(**filters) if filters else None
    return pb.ListWorkflowsRequest(user_id=user, cursor=cursor, filters=wanted)
