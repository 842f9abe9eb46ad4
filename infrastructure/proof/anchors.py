"""Checkpoints that the log must lead to: those of witnesses, and the one that was verified last."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from application.verification.findings import Finding, Kind
from infrastructure.proof.kept import KeptLog
from infrastructure.tlog.checkpoints import LogRefused, SignedCheckpoint
from infrastructure.tlog.notes import NoteRefused


class _Anchor(NamedTuple):
    size: int
    root: bytes
    seen_by: str


@dataclass(frozen=True, slots=True)
class Anchors:
    """What others have seen of a log. They must be read before the log's newest checkpoint.

    Otherwise a witness that cosigns in between would have seen more than the log seems to have.
    """

    cosigned: Sequence[SignedCheckpoint]
    verified: SignedCheckpoint | None

    @classmethod
    def of(cls, log: KeptLog) -> "Anchors":
        """The anchors of a log. Raises LogRefused."""
        verified = log.verified()
        try:
            return cls(log.cosigned(), verified)
        except NoteRefused as refused:
            raise LogRefused(str(refused)) from refused

    def contradictions(self, log: KeptLog, signed: SignedCheckpoint) -> Iterator[Finding]:
        """How the log, whose newest checkpoint is `signed`, does not lead to them.

        Also whether none is cosigned as the policy asks.
        """
        try:
            met = [each for each in [*self.cosigned, signed] if log.policy.met_by(each.note)]
            anchors = sorted(self._anchors(log))
        except NoteRefused as refused:
            yield Finding(Kind.DAMAGED_LOG, 0, str(refused))
            return
        yield from _contradictions(log, signed.checkpoint.size, anchors)
        if not met:
            yield Finding(Kind.NOT_COSIGNED, 0, "no checkpoint is cosigned as the policy asks")

    def _anchors(self, log: KeptLog) -> Iterator[_Anchor]:
        for each in self.cosigned:
            names = ", ".join(log.policy.cosigners(each.note))
            yield _Anchor(each.checkpoint.size, each.checkpoint.root, f"{names} cosigned")
        if self.verified is not None:
            checkpoint = self.verified.checkpoint
            yield _Anchor(checkpoint.size, checkpoint.root, "the last verification saw")


def _contradictions(log: KeptLog, last: int, anchors: Sequence[_Anchor]) -> Iterator[Finding]:
    """Anchors that the log does not lead to; `anchors` are in the order of their sizes."""
    begin = 1  # what is before it, an anchor has confirmed
    for size, root, seen_by in anchors:
        if size > last:
            sentence = f"the log has {last} events, and {seen_by} {size}"
            yield Finding(Kind.CUT_LOG, last + 1, sentence)
        elif _leads_to(log, size, root):
            begin = size + 1
        else:
            sentence = (
                f"{seen_by} {size} events of another tree: between here and position {size}, record"
                " and log were rewritten, and signed anew with the log's key"
            )
            yield Finding(Kind.REWRITTEN_LOG, begin, sentence)


def _leads_to(log: KeptLog, size: int, root: bytes) -> bool:
    """Whether a beginning of the log has this root.

    If its tiles do not say so, the lowest ones are asked alone: one above them may be damaged.
    """
    tiles = log.tiles(size)
    try:
        return tiles.root() == root or tiles.root_of_leaves() == root
    except LogRefused:  # Damaged tiles are named where all of them are read.
        return True
