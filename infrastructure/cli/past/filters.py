"""Options that say which events are wanted."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer
from workflows import history_pb2 as pb


class EventType(StrEnum):
    """The types of events as they are written on a command line."""

    CREATED = "created"
    UPDATED = "updated"
    BUILD_STATUS_CHANGED = "build-status-changed"
    FAILURE_INCREMENTED = "failure-incremented"
    RESET = "reset"
    TERMINATED = "terminated"
    DELETED = "deleted"


User = Annotated[str, typer.Option("--user", help="Only events of this user's workflows.")]
Workflow = Annotated[str, typer.Option("--workflow", metavar="ID", help="Only this workflow's.")]
Types = Annotated[
    list[EventType] | None, typer.Option("--type", help="Only this type; may be repeated.")
]


def types_of(given: Sequence[EventType] | None) -> list[pb.EventType.ValueType]:
    """The types in the contract's words; none means all."""
    return [pb.EventType.Value(f"EVENT_TYPE_{each.name}") for each in given or ()]
