"""The log of one epoch, for reading: its checkpoints with all their cosignatures, its leaves."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from application.leaves import Leaf, index_of
from infrastructure.proof.logs import Logs
from infrastructure.tlog.checkpoints import LogRefused, SignedCheckpoint, newest
from infrastructure.tlog.files import FolderSource, replace_file
from infrastructure.tlog.notes import Note, NoteRefused, Verifier
from infrastructure.tlog.policy import Policy, PolicyRefused
from infrastructure.tlog.tiles import WIDTH, Tiles
from infrastructure.tlog.witness import cosigned

_VERIFIED = "verified"
"""The file that holds the checkpoint up to which the record was verified last."""
_BUNDLES = 64  # that are kept in memory


class KeptLog:
    """The log of an epoch. Raises LogRefused if its files contradict each other."""

    def __init__(self, folder: Path, policy: Policy) -> None:
        self.folder = folder
        self.policy = policy
        self.source = FolderSource(folder)
        self._bundle = lru_cache(_BUNDLES)(self._read_bundle)

    @classmethod
    def of(cls, logs: Logs | None, epoch: int) -> "KeptLog | None":
        """The log of an epoch; None if there is none. Raises LogRefused."""
        try:
            policy = logs.policy(epoch) if logs else None
        except (PolicyRefused, NoteRefused) as refused:
            raise LogRefused(str(refused)) from refused
        return cls(logs.folder(epoch), policy) if logs and policy else None

    @property
    def verifier(self) -> Verifier:
        """The key of the log."""
        return self.policy.logs[0]

    def newest(self) -> SignedCheckpoint | None:
        """The newest checkpoint; None if nothing is signed yet."""
        return newest(self.source, self.verifier)

    def cosigned(self) -> Sequence[SignedCheckpoint]:
        """The checkpoints that witnesses of the policy cosigned last, the smallest first.

        Each carries the cosignatures of all who cosigned it.
        """
        merged: dict[str, SignedCheckpoint] = {}
        for witness in self.policy.witnesses.values():
            found = cosigned(self.source, self.verifier, witness)
            if found is not None:
                before = merged.get(found.note.text)
                lines = [*before.note.lines] if before else []
                lines += [line for line in found.note.lines if line not in lines]
                note = Note(found.note.text, lines)
                merged[note.text] = SignedCheckpoint(note, found.checkpoint)
        return sorted(merged.values(), key=lambda each: each.checkpoint.size)

    def with_cosignatures(self, signed: SignedCheckpoint) -> Note:
        """The note of a checkpoint with the cosignatures of all who cosigned it last."""
        try:
            same = [each for each in self.cosigned() if each.checkpoint == signed.checkpoint]
        except LogRefused:
            same = []
        return same[-1].note if same else signed.note

    def proven(self, position: int = 0) -> SignedCheckpoint | None:
        """The newest checkpoint that meets the policy, if it covers a position; else the newest.

        None if no checkpoint covers the position.
        """
        found = [each for each in self.cosigned() if self.policy.met_by(each.note)]
        last = self.newest()
        if last is not None and self.policy.met_by(last.note):
            found.append(last)
        if found and found[-1].checkpoint.size >= position:
            return found[-1]
        return last if last is not None and last.checkpoint.size >= position else None

    def tiles(self, size: int) -> Tiles:
        """The tree of the first leaves."""
        return Tiles(self.source, size)

    def leaf(self, position: int, size: int) -> Leaf | None:
        """The leaf of a position in a tree of a size; None if it is not covered.

        Raises LogRefused or LeafUnreadable.
        """
        index = index_of(position)
        if not 0 <= index < size:
            return None
        number = index // WIDTH
        return Leaf.parse(self._bundle(number, min(size, (number + 1) * WIDTH))[index % WIDTH])

    def leaves_of(self, workflow_id: str, begin: int, last: int, size: int) -> Iterator[Leaf]:
        """The leaves of a workflow at positions from `begin` to `last`, or near them.

        Raises LogRefused or LeafUnreadable.
        """
        named = f"\n{workflow_id}\n".encode()
        for number in range(max(0, index_of(begin)) // WIDTH, -(-min(last, size) // WIDTH)):
            for leaf in self.tiles(size).leaves(number):
                if named in leaf:
                    yield Leaf.parse(leaf)

    def verified(self) -> SignedCheckpoint | None:
        """The checkpoint up to which the record was verified last; None if there is none."""
        try:
            text = (self.folder / _VERIFIED).read_text()
            found = SignedCheckpoint.parse(text, self.verifier)
        except (OSError, UnicodeDecodeError, LogRefused):
            return None
        return found

    def keep_verified(self, checkpoint: SignedCheckpoint) -> None:
        """Remembers up to which checkpoint the record was verified. Raises OSError."""
        replace_file(self.folder / _VERIFIED, str(checkpoint.note).encode())

    def _read_bundle(self, number: int, size: int) -> Sequence[bytes]:
        return self.tiles(size).leaves(number)
