"""`workflows hold` and `workflows release`."""

from typing import Annotated

import typer
from workflows import admin_pb2 as pb
from workflows import admin_pb2_grpc

from infrastructure.cli.options import Authorities, Json, Target
from infrastructure.cli.past.asking import Token, bearer
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.refusing import calls_to
from infrastructure.client.channel import connected
from infrastructure.client.target import DEFAULT_TARGET

_WITHIN = 30.0  # seconds

User = Annotated[str, typer.Option("--user", help="The user.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, without personal data.")]


def hold(
    user: User,
    reason: Reason,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    ca: Authorities = None,
    as_json: Json = False,
) -> None:
    """Hold a user's record: until the hold is released, an erasure is refused.

    \b
    Examples:
      workflows hold --user alice --reason 'court case 7'
    """
    with calls_to(target), connected(target, ca) as channel:
        service = admin_pb2_grpc.WorkflowAdminServiceStub(channel)
        asked = pb.HoldUserRequest(user_id=user, reason=reason)
        service.HoldUser(asked, timeout=_WITHIN, metadata=bearer(token))
    _say("held", as_json=as_json)


def release(
    user: User,
    reason: Reason,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    ca: Authorities = None,
    as_json: Json = False,
) -> None:
    """Release the hold on a user.

    \b
    Examples:
      workflows release --user alice --reason 'case 7 is closed'
    """
    with calls_to(target), connected(target, ca) as channel:
        service = admin_pb2_grpc.WorkflowAdminServiceStub(channel)
        asked = pb.ReleaseHoldRequest(user_id=user, reason=reason)
        service.ReleaseHold(asked, timeout=_WITHIN, metadata=bearer(token))
    _say("released", as_json=as_json)


def _say(done: str, *, as_json: bool) -> None:
    if as_json:
        print_line_of_json({done: True})
    else:
        typer.echo(done)
