"""`workflows list`: a user's workflows, now or as they were at a moment."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from workflows import history_pb2 as pb
from workflows import workflows_pb2

from infrastructure.cli.options import Json, Target
from infrastructure.cli.past.asking import WITHIN, At, Token, bearer, historian, plain
from infrastructure.cli.past.moments import moment_of
from infrastructure.cli.past.values import place_text
from infrastructure.cli.printing import console, print_line_of_json, print_table, styled
from infrastructure.client.target import DEFAULT_TARGET

if TYPE_CHECKING:
    from rich.text import Text

_HEADINGS = ("workflow", "name", "kind", "build", "failures", "state")

User = Annotated[str, typer.Option("--user", help="Owner of the workflows.")]
Limit = Annotated[int, typer.Option(min=1, help="About how many to show: pages are whole.")]


def listing(
    user: User,
    at: At = None,
    limit: Limit = 100,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    as_json: Json = False,
) -> None:
    """List a user's workflows as ListWorkflows would have at a moment; without one, as now.

    \b
    Examples:
      workflows list --user alice
      workflows list --user alice --at '2 hours ago'
    """
    moment = None if at is None else moment_of(at, datetime.now(UTC))
    asked = pb.ListWorkflowsAsOfRequest(user_id=user, moment=moment)
    found = pb.ListWorkflowsAsOfResponse()
    with historian(target) as service:
        while True:
            page = service.ListWorkflowsAsOf(asked, timeout=WITHIN, metadata=bearer(token))
            found.workflows.extend(page.workflows)
            found.place.CopyFrom(page.place)
            found.cursor = asked.cursor = page.cursor
            if not page.cursor or len(found.workflows) >= limit:
                break
    if as_json:
        print_line_of_json(plain(found))
        return
    print_table(_HEADINGS, [_row(each) for each in found.workflows])
    more = f" · more: --limit {2 * limit}" if found.cursor else ""
    count = f"{len(found.workflows):,} workflows · {place_text(found.place)}{more}"
    console().print(styled(count, "dim"))


def _row(listed: workflows_pb2.WorkflowsByUserIDResponse) -> list["Text"]:
    failures = (
        f"{listed.consecutive_job_failures_count}/{listed.max_consecutive_job_failures_allowed}"
    )
    state = styled("terminated", "red") if listed.terminated_at else styled("active", "green")
    cells = (listed.id, listed.name, listed.kind, listed.build_status, failures)
    return [*map(styled, cells), state]
