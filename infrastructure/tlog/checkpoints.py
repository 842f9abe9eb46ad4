"""Checkpoints (c2sp.org/tlog-checkpoint): what a log says of itself, and signs."""

from base64 import b64decode, b64encode
from dataclasses import dataclass

from infrastructure.tlog.files import FileMissing, Source
from infrastructure.tlog.notes import Note, NoteRefused, Verifier
from infrastructure.tlog.proofs import EMPTY_ROOT

CHECKPOINT = "checkpoint"
"""The file that holds the newest checkpoint of a log."""
_HASH = 32


class LogRefused(Exception):
    """The log cannot do this without contradicting what it has signed, or its files are damaged."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The statement of a log about its content: its origin, its count of leaves, and their root."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint in the text of a note. Raises NoteRefused."""
        lines = text.split("\n")
        try:
            origin, size, root = lines[0], int(lines[1]), b64decode(lines[2], validate=True)
        except (IndexError, ValueError) as malformed:
            raise NoteRefused("the text is no checkpoint") from malformed
        if not origin or str(size) != lines[1] or len(root) != _HASH or lines[3:] != [""]:
            raise NoteRefused("the text is no checkpoint of this kind")
        return cls(origin, size, root)

    def __str__(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint and the note that holds it, signed by its log."""

    note: Note
    checkpoint: Checkpoint

    @classmethod
    def parse(cls, text: str, log: Verifier) -> "SignedCheckpoint":
        """The checkpoint in the text of a note, if this log signed it. Raises LogRefused."""
        try:
            note = Note.parse(text)
            if not note.signed_by([log]):
                raise LogRefused("the checkpoint is not signed by this key")
            checkpoint = Checkpoint.parse(note.text)
        except NoteRefused as wrong:
            raise LogRefused(f"the checkpoint is damaged: {wrong}") from wrong
        if checkpoint.origin != log.name:
            raise LogRefused(f"the checkpoint is of another log, {checkpoint.origin}")
        return cls(note, checkpoint)


def newest(source: Source, log: Verifier) -> SignedCheckpoint | None:
    """The newest checkpoint of a log; None if it has signed none. Raises LogRefused."""
    try:
        text = source.read(CHECKPOINT).decode()
    except FileMissing:
        return None
    except UnicodeDecodeError as damaged:
        raise LogRefused("the checkpoint is damaged: it is no text") from damaged
    return SignedCheckpoint.parse(text, log)


def empty(log: Verifier) -> Checkpoint:
    """The checkpoint of a log without leaves."""
    return Checkpoint(log.name, 0, EMPTY_ROOT)
