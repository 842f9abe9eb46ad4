"""`workflows prove`: a proof of one event, in a file that other programs verify."""

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from workflows import history_pb2 as pb

from infrastructure.cli.options import Json, Target
from infrastructure.cli.past.asking import WITHIN, Id, Owner, Token, bearer, historian, plain
from infrastructure.cli.past.trust import proven
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.refusing import give_up, misused, refusals
from infrastructure.client.target import DEFAULT_TARGET

if TYPE_CHECKING:
    from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

_FORM = "c2sp.org/tlog-proof@v1\n"

Position = Annotated[int | None, typer.Option(min=1, help="The event at this position.")]
Version = Annotated[
    int | None, typer.Option(min=1, help="This event of the workflow; unset: the last.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where the proof is written.")
]
TrustedPolicy = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="The keys that you trust; unset: the service's."),
]


def prove(
    workflow_id: Id,
    position: Position = None,
    version: Version = None,
    user: Owner = "",
    output: Output = None,
    policy: TrustedPolicy = None,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    as_json: Json = False,
) -> None:
    """Prove that an event is in the log of a signed checkpoint, and write the proof as a file.

    The proof is verified here: by the keys of --policy, or else by those that the service tells,
    which you must compare. The file is a c2sp.org/tlog-proof. Its line `extra` holds the leaf whose
    hash is proved: a text that names the event by digests.

    \b
    Examples:
      workflows prove 0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f -o event.tlog-proof
      workflows prove 0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f --version 3 --policy policy
    """
    if position is not None and version is not None:
        misused("An event is named once: by --position or by --version.")
    credential = bearer(token)
    with historian(target) as service:
        at = position or _position(service, workflow_id, version, user, credential)
        asked = pb.GetProofRequest(position=at, user_id=user)
        found = service.GetProof(asked, timeout=WITHIN, metadata=credential)
        told = service.GetCheckpoint(
            pb.GetCheckpointRequest(), timeout=WITHIN, metadata=credential
        ).policy
    if found.event.workflow_id != workflow_id.lower():
        give_up(f"The event at position {at} is of another workflow.", "OTHER_WORKFLOW")
    with refusals(OSError):
        trusted = policy.read_text(encoding="utf-8") if policy else told
    facts = proven(found, trusted)
    proof = found.proof.replace(_FORM, f"{_FORM}extra {b64encode(found.leaf).decode()}\n", 1)
    written = output or Path(f"{workflow_id}-{found.event.version}.tlog-proof")
    with refusals(OSError):
        written.write_text(proof, encoding="utf-8")
    _show(found, facts | {"file": str(written)}, told if policy is None else "", as_json=as_json)


def _position(
    service: "WorkflowHistoryServiceStub",
    workflow_id: str,
    version: int | None,
    user: str,
    credential: Any,
) -> int:
    """The position of an event of a workflow: of this version, or of the last one."""
    if version is not None:
        then = pb.GetWorkflowAsOfRequest(
            id=workflow_id, user_id=user, moment=pb.Moment(version=version)
        )
        return service.GetWorkflowAsOf(then, timeout=WITHIN, metadata=credential).place.position
    newest = pb.GetWorkflowHistoryRequest(id=workflow_id, user_id=user, page_size=1)
    page = service.GetWorkflowHistory(newest, timeout=WITHIN, metadata=credential)
    return page.events[0].position


def _show(found: pb.GetProofResponse, facts: dict[str, Any], told: str, *, as_json: bool) -> None:
    """`told` is the policy that the service told, if that was believed."""
    if as_json:
        print_line_of_json(facts | {"event": plain(found.event)})
        return
    event = found.event
    kind = pb.EventType.Name(event.type).removeprefix("EVENT_TYPE_").replace("_", " ").lower()
    typer.echo(
        f"proved: {kind}, event {event.version} of {event.workflow_id}, position {event.position}"
    )
    typer.echo(f"in the log {facts['origin']} of {facts['size']:,} events")
    typer.echo(f"signed by {', '.join(facts['signed_by'])}")
    typer.echo(f"wrote {facts['file']}; verify it elsewhere:")
    typer.echo("  torchwood.VerifyProof(policy, tlog.RecordHash(leaf), proof)")
    typer.echo("  where leaf is the line `extra` in base64, decoded")
    if told:
        typer.echo("by this policy of the service; compare its keys, or give yours by --policy:")
        typer.echo("".join(f"  {line}\n" for line in told.splitlines()), nl=False)
