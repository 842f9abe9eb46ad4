"""`workflows history`: what happened to a workflow, when, who did it, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from workflows import history_pb2 as pb

from infrastructure.cli.options import Json, Target
from infrastructure.cli.past.asking import WITHIN, Id, Owner, Token, Utc, bearer, historian, plain
from infrastructure.cli.past.picture import svg
from infrastructure.cli.past.timeline import timeline
from infrastructure.cli.past.values import place_text
from infrastructure.cli.printing import console, print_line_of_json, styled
from infrastructure.cli.refusing import refusals
from infrastructure.client.target import DEFAULT_TARGET

if TYPE_CHECKING:
    from rich.text import Text

_LARGEST_PAGE = 1000

OldestFirst = Annotated[bool, typer.Option("--oldest-first", help="Begin with the creation.")]
Limit = Annotated[int, typer.Option(min=1, help="Most events to show.")]
Svg = Annotated[
    Path | None, typer.Option("--svg", metavar="FILE", help="Write the timeline as a picture too.")
]


def history(
    workflow_id: Id,
    user: Owner = "",
    oldest_first: OldestFirst = False,
    limit: Limit = 50,
    utc: Utc = False,
    picture: Svg = None,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    as_json: Json = False,
) -> None:
    """Show the events of a workflow, deleted ones too: when, who, what changed, and why.

    \b
    Examples:
      workflows history 0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f
      workflows history 0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f --oldest-first --utc
      workflows history 0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f --svg history.svg
    """
    order = pb.ORDER_OLDEST_FIRST if oldest_first else pb.ORDER_NEWEST_FIRST
    asked = pb.GetWorkflowHistoryRequest(id=workflow_id, user_id=user, order=order)
    found = _read(asked, limit, target, token)
    lines: list[Text] = []
    if picture or not as_json:
        lines = _lines(found, workflow_id, utc=utc)
    if picture:
        with refusals(OSError):
            picture.write_text(svg(lines, "workflows history"), encoding="utf-8")
    if as_json:
        print_line_of_json(plain(found))
        return
    out = console()
    for line in lines:
        out.print(line)


def _read(
    asked: pb.GetWorkflowHistoryRequest, limit: int, target: str, token: str
) -> pb.GetWorkflowHistoryResponse:
    """So many events, page after page; the rest of the answer is that of the first page."""
    found: pb.GetWorkflowHistoryResponse | None = None
    with historian(target) as service:
        while True:
            asked.page_size = min(limit - (len(found.events) if found else 0), _LARGEST_PAGE)
            page = service.GetWorkflowHistory(asked, timeout=WITHIN, metadata=bearer(token))
            if found is None:
                found = page
            else:
                found.events.extend(page.events)
            found.cursor = asked.cursor = page.cursor
            if not page.cursor or len(found.events) >= limit:
                return found


def _lines(found: pb.GetWorkflowHistoryResponse, workflow_id: str, *, utc: bool) -> list["Text"]:
    heading = f"{found.version:,} events · {place_text(found.place)}"
    lines = [styled(f"workflow {workflow_id}", "bold"), styled(heading, "dim"), styled("")]
    lines += timeline(found.events, utc=utc)
    if found.cursor:
        rest = found.version - len(found.events)
        lines.append(styled(f"{rest:,} more events: --limit {found.version}", "yellow"))
    return lines
