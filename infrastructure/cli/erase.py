"""`workflows erase`."""

from typing import Annotated

import grpc
import typer
from workflows import admin_pb2 as pb
from workflows import admin_pb2_grpc

from infrastructure.cli.options import Authorities, Json, Target
from infrastructure.cli.past.asking import Token, bearer
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.refusing import calls_to
from infrastructure.client.channel import connected
from infrastructure.client.target import DEFAULT_TARGET

_WITHIN = 1800.0  # seconds: a user may have any number of workflows


def erase(
    user: Annotated[str, typer.Option("--user", help="The user.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, without personal data.")],
    legal_basis: Annotated[str, typer.Option("--legal-basis", help="Such as GDPR Art. 17(1)(a).")],
    *,
    validate_only: Annotated[
        bool, typer.Option("--validate-only", help="Only count what would go.")
    ] = False,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    ca: Authorities = None,
    as_json: Json = False,
) -> None:
    """Erase everything that the service knows of a user, and show the receipt.

    \b
    Examples:
      workflows erase --user alice --reason 'request 7' --legal-basis 'GDPR Art. 17(1)(a)'
    """
    request = pb.EraseUserRequest(
        user_id=user, reason=reason, legal_basis=legal_basis, validate_only=validate_only
    )
    with calls_to(target), connected(target, ca) as channel:
        done = _call(channel, request, token)
    if as_json:
        print_line_of_json(
            {
                "receipt_id": done.receipt_id,
                "workflows": done.workflows,
                "events": done.events,
                "ledger_entries": done.ledger_entries,
                "search_entries": done.search_entries,
                "receipt": done.receipt,
                "leaf": done.leaf.decode(),
                "proof": done.proof,
            }
        )
        return
    what = "would be erased" if validate_only else "erased"
    typer.echo(
        f"{what}: {done.workflows:,} workflows, {done.events:,} events,"
        f" {done.ledger_entries:,} ledger entries, {done.search_entries:,} search entries"
    )
    if done.receipt:
        typer.echo(done.receipt, nl=False)
    if done.receipt_id:
        typer.echo(f"its proof: workflows erasures {done.receipt_id}")


def _call(channel: grpc.Channel, request: pb.EraseUserRequest, token: str) -> pb.Erasure:
    service = admin_pb2_grpc.WorkflowAdminServiceStub(channel)
    return service.EraseUser(request, timeout=_WITHIN, metadata=bearer(token)).erasure
