"""Options of the commands that ask about the past, and how they call the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from infrastructure.cli.refusing import calls_to

if TYPE_CHECKING:
    from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

WITHIN = 60.0
"""Seconds to wait for one answer."""

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the workflow.")]
Owner = Annotated[str, typer.Option("--user", help="Owner of the workflow; may be left out.")]
At = Annotated[
    str | None,
    typer.Option("--at", help='A time in RFC 3339, a position, or such as "2 hours ago".'),
]
AtVersion = Annotated[
    int | None, typer.Option("--version", min=0, help="After this many events of the workflow.")
]
AtPosition = Annotated[
    int | None, typer.Option("--position", min=0, help="After this position of the feed.")
]
Utc = Annotated[bool, typer.Option("--utc", help="Show times in UTC, not in the local zone.")]
Token = Annotated[
    str, typer.Option("--token", envvar="WORKFLOWS_TOKEN", help="The caller's token, if needed.")
]


@contextmanager
def historian(target: str, ca: str | None = None) -> Iterator["WorkflowHistoryServiceStub"]:
    """The methods of histories; ends the command if a call fails in the block.

    `ca` is a PEM file of those who sign the service's certificate; see `connected`.
    """
    # Imported here, so that a wrong command line is refused without waiting for gRPC's import.
    from workflows.history_pb2_grpc import (  # noqa: PLC0415 - as above
        WorkflowHistoryServiceStub,
    )

    from infrastructure.client.channel import connected  # noqa: PLC0415 - as above

    with calls_to(target), connected(target, ca) as channel:
        yield WorkflowHistoryServiceStub(channel)


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata that carries a token; none if it is empty."""
    return (("authorization", f"Bearer {token}"),) if token else ()


def plain(message: Message) -> dict[str, Any]:
    """A message as JSON has it, with the contract's names."""
    return MessageToDict(message, preserving_proto_field_name=True)
