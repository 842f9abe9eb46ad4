"""`workflows as-of`: a workflow as it was at a moment."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from workflows import history_pb2 as pb

from infrastructure.cli.options import Json, Target
from infrastructure.cli.past.asking import (
    WITHIN,
    At,
    Id,
    Owner,
    Token,
    Utc,
    bearer,
    historian,
    plain,
)
from infrastructure.cli.past.moments import moment_of
from infrastructure.cli.past.values import erased_text, place_text, shortened, time_text
from infrastructure.cli.printing import console, print_line_of_json, styled
from infrastructure.cli.refusing import misused
from infrastructure.client.target import DEFAULT_TARGET

AtVersion = Annotated[
    int | None, typer.Option("--version", min=0, help="After this many events of the workflow.")
]
AtPosition = Annotated[
    int | None, typer.Option("--position", min=0, help="After this position of the feed.")
]


def as_of(
    workflow_id: Id,
    at: At = None,
    version: AtVersion = None,
    position: AtPosition = None,
    user: Owner = "",
    utc: Utc = False,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    as_json: Json = False,
) -> None:
    """Show a workflow as it was at a moment, deleted ones too; without a moment, as it is.

    \b
    Examples:
      workflows as-of 0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f --at '2 hours ago'
      workflows as-of 0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f --at 2026-11-25T06:30:00Z
      workflows as-of 0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f --version 3
    """
    moment = _moment(at, version, position)
    asked = pb.GetWorkflowAsOfRequest(id=workflow_id, user_id=user, moment=moment)
    with historian(target) as service:
        then = service.GetWorkflowAsOf(asked, timeout=WITHIN, metadata=bearer(token))
    if as_json:
        print_line_of_json(plain(then))
        return
    out = console()
    out.print(styled(f"version {then.version} · {place_text(then.place)}", "dim"))
    if then.HasField("erased"):
        out.print(styled(erased_text(then.erased, utc=utc), "yellow"))
        return
    fields = _fields(then.workflow, utc=utc)
    width = max(map(len, fields))
    for name, value in fields.items():
        out.print(styled(f"{name:<{width}}  ", "cyan").append_text(styled(value)))


def _moment(at: str | None, version: int | None, position: int | None) -> pb.Moment | None:
    if sum(given is not None for given in (at, version, position)) > 1:
        misused("A moment is named once: by --at, by --version, or by --position.")
    if version is not None:
        return pb.Moment(version=version)
    if position is not None:
        return pb.Moment(position=position)
    return None if at is None else moment_of(at, datetime.now(UTC))


def _fields(workflow: pb.WorkflowState, *, utc: bool) -> dict[str, str]:
    """Every field that has a value, by its name."""
    found = {}
    for field in workflow.DESCRIPTOR.fields:
        value = getattr(workflow, field.name)
        match value:
            case Timestamp():
                if workflow.HasField(field.name):  # type: ignore[arg-type] # names one of its times
                    found[field.name] = time_text(value, utc=utc)
            case bool():
                found[field.name] = "yes" if value else "no"
            case _:
                found[field.name] = shortened(str(value))
    return found
