"""The log that a verification holds the record against, and where the last one ended."""

from contextlib import suppress
from dataclasses import dataclass

from infrastructure.proof.anchors import Anchors
from infrastructure.proof.kept import KeptLog
from infrastructure.proof.logs import Logs
from infrastructure.tlog.checkpoints import LogRefused, SignedCheckpoint
from infrastructure.tlog.tiles import WIDTH


@dataclass(frozen=True, slots=True)
class SignedLog:
    """A log that has a checkpoint: `signed` is the newest one, read after the anchors."""

    kept: KeptLog
    anchors: Anchors
    signed: SignedCheckpoint

    @classmethod
    def of(cls, logs: Logs | None, epoch: int) -> "SignedLog | None":
        """The log of an epoch; None if it has no checkpoint. Raises LogRefused."""
        kept = KeptLog.of(logs, epoch)
        if kept is None:
            return None
        anchors = Anchors.of(kept)
        signed = kept.newest()
        return None if signed is None else cls(kept, anchors, signed)

    @property
    def size(self) -> int:
        """How many events it covers."""
        return self.signed.checkpoint.size

    @property
    def note(self) -> str:
        """The checkpoint with all cosignatures that it has."""
        return str(self.kept.with_cosignatures(self.signed))

    def resumption(self) -> int:
        """How many events need not be verified again: those of whole tiles, 0 if all must be."""
        before = self.anchors.verified
        if before is None or before.checkpoint.size > self.size:
            return 0
        with suppress(LogRefused):
            if self.kept.tiles(before.checkpoint.size).root() == before.checkpoint.root:
                return before.checkpoint.size // WIDTH * WIDTH
        return 0

    def keep_verified(self) -> None:
        """Remembers that the record was verified up to this checkpoint."""
        with suppress(OSError):  # A reader of another's log may not write there.
            self.kept.keep_verified(self.signed)
