"""Checkpoints that the log must lead to: those of witnesses, and the one that was verified last."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from application.verification.findings import Finding, Kind
from infrastructure.proof.kept import KeptLog
from infrastructure.tlog.checkpoints import LogRefused, SignedCheckpoint
from infrastructure.tlog.notes import NoteRefused


class _Anchor(NamedTuple):
    size: int
    root: bytes
    seen_by: str


def against_anchors(log: KeptLog, signed: SignedCheckpoint) -> Iterator[Finding]:
    """How the log contradicts what others have seen of it."""
    try:
        cosigned = log.cosigned()
        anchors = [_Anchor(*_size_and_root(each), _cosigners(log, each)) for each in cosigned]
        met = [each for each in [*cosigned, signed] if log.policy.met_by(each.note)]
    except (LogRefused, NoteRefused) as refused:
        yield Finding(Kind.DAMAGED_LOG, 0, str(refused))
        return
    if (before := log.verified()) is not None:
        anchors.append(_Anchor(*_size_and_root(before), "the last verification saw"))
    yield from _contradictions(log, signed.checkpoint.size, sorted(anchors))
    if not met:
        yield Finding(Kind.NOT_COSIGNED, 0, "no checkpoint is cosigned as the policy asks")


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


def _size_and_root(signed: SignedCheckpoint) -> tuple[int, bytes]:
    return signed.checkpoint.size, signed.checkpoint.root


def _cosigners(log: KeptLog, signed: SignedCheckpoint) -> str:
    return f"{', '.join(log.policy.cosigners(signed.note))} cosigned"
