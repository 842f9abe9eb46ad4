"""`workflows as-of`: a workflow as it was at a moment."""

from datetime import UTC, datetime

from workflows import history_pb2 as pb

from infrastructure.cli.options import Json, Target
from infrastructure.cli.past.asking import (
    WITHIN,
    At,
    AtPosition,
    AtVersion,
    Id,
    Owner,
    Token,
    Utc,
    bearer,
    historian,
    plain,
)
from infrastructure.cli.past.moments import one_moment
from infrastructure.cli.past.values import erased_text, place_text, state_lines
from infrastructure.cli.printing import console, print_line_of_json, styled
from infrastructure.client.target import DEFAULT_TARGET


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
    moment = one_moment(at, version, position, datetime.now(UTC))
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
    for line in state_lines(then.workflow, utc=utc):
        out.print(line)
