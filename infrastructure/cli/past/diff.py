"""`workflows diff`: what differs between two versions of a workflow."""

from typing import Annotated

import typer
from workflows import history_pb2 as pb

from infrastructure.cli.options import Json, Target
from infrastructure.cli.past.asking import WITHIN, Id, Owner, Token, Utc, bearer, historian, plain
from infrastructure.cli.past.values import change_lines, erased_text, place_text
from infrastructure.cli.printing import console, print_line_of_json, styled
from infrastructure.client.target import DEFAULT_TARGET

From = Annotated[
    int, typer.Argument(metavar="A", min=0, help="A version; 0 is before the creation.")
]
To = Annotated[int, typer.Argument(metavar="[B]", min=0, help="Another; 0 is the last one.")]


def diff(
    workflow_id: Id,
    from_version: From,
    to_version: To = 0,
    user: Owner = "",
    utc: Utc = False,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    as_json: Json = False,
) -> None:
    """Show each field that differs between two versions of a workflow.

    \b
    Examples:
      workflows diff 0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f 1 4
      workflows diff 0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f 1 --json
    """
    asked = pb.DiffWorkflowRequest(
        id=workflow_id, user_id=user, from_version=from_version, to_version=to_version
    )
    with historian(target) as service:
        found = service.DiffWorkflow(asked, timeout=WITHIN, metadata=bearer(token))
    if as_json:
        print_line_of_json(plain(found))
        return
    out = console()
    versions = f"version {found.from_version} → {found.to_version}"
    out.print(styled(f"{versions} · {place_text(found.place)}", "dim"))
    if found.HasField("erased"):
        out.print(styled(erased_text(found.erased, utc=utc), "yellow"))
    elif not found.changes:
        out.print(styled("nothing differs", "green"))
    for line in change_lines(found.changes, utc=utc):
        out.print(line)
