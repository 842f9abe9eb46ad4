"""A witness: cosigns a log's checkpoint after it has seen that the log only grew.

A witness keeps, for each log, the last checkpoint that it cosigned. It does not belong to the
operator of the log: its key and its memory are in a folder of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from infrastructure.tlog.checkpoints import (
    Checkpoint,
    LogRefused,
    SignedCheckpoint,
    empty,
    newest,
)
from infrastructure.tlog.files import FileMissing, Source, SourceUnavailable, replace_file
from infrastructure.tlog.notes import Note, Signer, Verifier
from infrastructure.tlog.proofs import consistent
from infrastructure.tlog.tiles import Tiles

COSIGNED = "cosigned"
"""The folder of a log in which each witness puts the checkpoint that it cosigned last."""


class CosignatureRefused(Exception):
    """The checkpoint contradicts one that was cosigned before, or is not the log's."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A cosigning key, and the folder in which it remembers what it cosigned."""

    signer: Signer
    folder: Path

    def cosign(
        self, log: Source, verifier: Verifier, now: int, others: Sequence[Verifier] = ()
    ) -> Note:
        """The checkpoint of a log with this witness's cosignature, and those of others.

        `now` is in seconds since 1970. If one of `others` cosigned a later checkpoint than this
        witness, that one is taken rather than the newest, so that several witnesses meet on one.
        Raises CosignatureRefused or SourceUnavailable.
        """
        seen = self.last(verifier)
        try:
            found = self._chosen(log, verifier, others, seen)
            tiles = Tiles(log, found.checkpoint.size)
            path, root = tiles.consistency(seen.size), tiles.root()
        except LogRefused as damaged:
            raise CosignatureRefused(str(damaged)) from damaged
        new = found.checkpoint
        if root != new.root:
            raise CosignatureRefused("the tiles do not lead to the root of the checkpoint")
        if not consistent(seen.size, seen.root, new.size, new.root, path):
            raise CosignatureRefused(
                f"the first {seen.size} leaves are not those that were cosigned: rewritten"
            )
        text = found.note.text
        self._remember(verifier, found.note)
        return Note(text, [*found.note.lines, self.signer.line(text, now)])

    def last(self, verifier: Verifier) -> Checkpoint:
        """The checkpoint of a log that this witness cosigned last; an empty one if none."""
        try:
            note = Note.parse((self.folder / file_name(verifier)).read_text())
        except FileNotFoundError:
            return empty(verifier)
        return Checkpoint.parse(note.text)

    def _chosen(
        self, log: Source, verifier: Verifier, others: Sequence[Verifier], seen: Checkpoint
    ) -> SignedCheckpoint:
        found = newest(log, verifier)
        if found is None:
            raise CosignatureRefused("the log has no checkpoint")
        if found.checkpoint.size < seen.size:
            raise CosignatureRefused(
                f"the log has {found.checkpoint.size} leaves and had {seen.size}:"
                " its end was cut off"
            )
        offered = [_offered(log, verifier, other) for other in others]
        fitting = [
            c for c in offered if c and seen.size < c.checkpoint.size <= found.checkpoint.size
        ]
        return max(fitting, key=lambda each: each.checkpoint.size, default=found)

    def _remember(self, verifier: Verifier, note: Note) -> None:
        replace_file(self.folder / file_name(verifier), str(note).encode())


def cosigned(log: Source, verifier: Verifier, witness: Verifier) -> SignedCheckpoint | None:
    """The checkpoint that a witness put into the log's folder; None if there is none.

    Raises LogRefused if the log or the witness did not sign it.
    """
    try:
        text = log.read(f"{COSIGNED}/{file_name(witness)}").decode()
    except FileMissing:
        return None
    except (SourceUnavailable, UnicodeDecodeError) as unreadable:
        raise LogRefused(f"the cosignature of {witness.name} cannot be read") from unreadable
    found = SignedCheckpoint.parse(text, verifier)
    if not found.note.signed_by([witness]):
        raise LogRefused(f"the checkpoint is not cosigned by {witness.name}")
    return found


def _offered(log: Source, verifier: Verifier, witness: Verifier) -> SignedCheckpoint | None:
    """As `cosigned`; what is no checkpoint of this log and witness stops nobody else."""
    try:
        return cosigned(log, verifier, witness)
    except LogRefused:
        return None


def publish(log: Path, note: Note, witness: Verifier) -> None:
    """Puts a cosigned checkpoint into the folder of its log."""
    replace_file(log / COSIGNED / file_name(witness), str(note).encode())


def file_name(verifier: Verifier) -> str:
    """A name that is safe in any folder and differs between keys."""
    return sha256(str(verifier).encode()).hexdigest()[:32]
