"""What a command verifies itself, so that it need not believe the service."""

from base64 import b64decode
from typing import Any, NoReturn

from workflows import history_pb2 as pb

from application.leaves import Leaf, LeafUnreadable, index_of
from infrastructure.cli.refusing import CommandFailed, refusals
from infrastructure.client.failures import Failure
from infrastructure.tlog.checkpoints import Checkpoint
from infrastructure.tlog.notes import Note, NoteRefused
from infrastructure.tlog.policy import Policy, PolicyRefused
from infrastructure.tlog.proofs import includes, leaf_hash


def proven(found: pb.GetProofResponse, policy: str) -> dict[str, Any]:
    """The log, its size, and who signed, if a proof holds. Ends the command if it does not."""
    with refusals(NoteRefused, PolicyRefused, LeafUnreadable):
        trusted = Policy.parse(policy)
        head, _, signed = found.proof.partition("\n\n")
        note = Note.parse(signed)
        checkpoint = Checkpoint.parse(note.text)
        leaf = Leaf.parse(found.leaf)
        if not trusted.met_by(note):
            _refuse("The checkpoint is not signed as the policy asks.")
        if checkpoint.origin not in [log.name for log in trusted.logs]:
            _refuse(f"The checkpoint is of another log, {checkpoint.origin}.")
    event = found.event
    named = (event.position, event.workflow_id, event.version, event.digest.hex())
    if named != (leaf.position, leaf.workflow_id, leaf.version, leaf.digest):
        _refuse("The leaf does not name the event.")
    try:
        path = [b64decode(step, validate=True) for step in head.split("\n")[2:]]
    except ValueError:
        _refuse("The proof is malformed.")
    at = index_of(event.position)
    if not includes(leaf_hash(found.leaf), at, checkpoint.size, path, checkpoint.root):
        _refuse("The proof does not lead from the event to the checkpoint.")
    signers = sorted(
        key.name for key in note.signed_by([*trusted.logs, *trusted.witnesses.values()])
    )
    return {"origin": checkpoint.origin, "size": checkpoint.size, "signed_by": signers}


def _refuse(why: str) -> NoReturn:
    raise CommandFailed(Failure("NOT_PROVED", why))
