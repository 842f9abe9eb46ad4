"""A witness: cosigns a log's checkpoint after it has seen that the log only grew.

A witness keeps, for each log, the last checkpoint that it cosigned. It does not belong to the
operator of the log: its key and its memory are in a folder of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from infrastructure.tlog.notes import Note, NoteRefused, Signer, Verifier
from infrastructure.tlog.proofs import EMPTY_ROOT, consistent
from infrastructure.tlog.tiles import Checkpoint, LogRefused, Tiles, replace_file


class CosignatureRefused(Exception):
    """The checkpoint contradicts one that was cosigned before, or is not the log's."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A cosigning key, and the folder in which it remembers what it cosigned."""

    signer: Signer
    folder: Path

    def cosign(self, log: Path, verifier: Verifier, now: int) -> Note:
        """The checkpoint in a log's folder with this witness's cosignature.

        The note is also written to `cosigned/` in the log's folder. `now` is in seconds since
        1970. Raises CosignatureRefused.
        """
        note, checkpoint = _signed(log, verifier)
        seen = self._last(verifier)
        if checkpoint.size < seen.size:
            raise CosignatureRefused(
                f"the log has {checkpoint.size} leaves and had {seen.size}: its end was cut off"
            )
        try:
            tiles = Tiles(log, checkpoint.size)
            path = tiles.consistency(seen.size)
            root = tiles.root()
        except LogRefused as damaged:
            raise CosignatureRefused(f"the log's tiles are damaged: {damaged}") from damaged
        if root != checkpoint.root:
            raise CosignatureRefused("the tiles do not lead to the root of the checkpoint")
        if not consistent(seen.size, seen.root, checkpoint.size, checkpoint.root, path):
            raise CosignatureRefused(
                f"the first {seen.size} leaves are not those that were cosigned: rewritten"
            )
        self._remember(verifier, note)
        cosigned = Note(note.text, [*note.lines, self.signer.line(note.text, now)])
        replace_file(log / "cosigned" / _file_name(self.signer.verifier), str(cosigned).encode())
        return cosigned

    def _last(self, verifier: Verifier) -> Checkpoint:
        try:
            note = Note.parse((self.folder / _file_name(verifier)).read_text())
        except FileNotFoundError:
            return Checkpoint(verifier.name, 0, EMPTY_ROOT)
        return Checkpoint.parse(note.text)

    def _remember(self, verifier: Verifier, note: Note) -> None:
        replace_file(self.folder / _file_name(verifier), str(note).encode())


def cosigned_by(note: Note, witnesses: Sequence[Verifier], quorum: int) -> bool:
    """Whether at least `quorum` of these witnesses cosigned a checkpoint. Raises NoteRefused."""
    return len(note.signed_by(witnesses)) >= quorum


def _signed(log: Path, verifier: Verifier) -> tuple[Note, Checkpoint]:
    try:
        note = Note.parse((log / "checkpoint").read_text())
        if verifier not in note.signed_by([verifier]):
            raise CosignatureRefused("the checkpoint is not signed by the log's key")
        checkpoint = Checkpoint.parse(note.text)
    except (OSError, NoteRefused) as unreadable:
        raise CosignatureRefused(f"the checkpoint cannot be read: {unreadable}") from unreadable
    if checkpoint.origin != verifier.name:
        raise CosignatureRefused(f"the checkpoint is of another log, {checkpoint.origin}")
    return note, checkpoint


def _file_name(verifier: Verifier) -> str:
    """A name that is safe in any folder and differs between keys."""
    return sha256(str(verifier).encode()).hexdigest()[:32]
