"""The log of receipts: the n-th erasure is its n-th leaf, through all epochs of the feed.

It is a log of its own, because a leaf in the log of the feed is the event at that position. Its
leaves follow from the numbers in the database, so every process that writes it writes the same log.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from application.ports import StoredDataDamaged
from application.receipts import KeptReceipt, ReceiptProof
from infrastructure.proof.kept import KeptLog
from infrastructure.proof.keys import KeyUnusable, SigningKey
from infrastructure.tlog.checkpoints import LogRefused
from infrastructure.tlog.files import SourceUnavailable, alone, replace_file
from infrastructure.tlog.notes import NoteRefused
from infrastructure.tlog.policy import POLICY, Policy, PolicyRefused
from infrastructure.tlog.tiles import WIDTH
from infrastructure.tlog.writing import TileLog

_TROUBLE = (LogRefused, NoteRefused, PolicyRefused, KeyUnusable, SourceUnavailable, OSError)

_log = structlog.get_logger()


class ReceiptLog:
    """The log of receipts in its folder. Safe on any thread and in several processes."""

    def __init__(self, folder: Path, key: Callable[[], SigningKey]) -> None:
        """`key` returns the key that signs checkpoints; it is asked for when it is needed."""
        self._folder = folder
        self._key = key

    def extend(self, following: Callable[[int], Iterator[KeptReceipt]]) -> None:
        """See Receipts.log."""
        try:
            if next(following(self.size), None) is not None:
                self._extend(following)
        except _TROUBLE as refused:
            _log.error("log of receipts", folder=str(self._folder), why=str(refused))

    @property
    def size(self) -> int:
        """How many receipts it covers; 0 if it cannot be read."""
        try:
            kept = self._kept()
            signed = kept.newest() if kept else None
        except _TROUBLE:
            return 0
        return signed.checkpoint.size if signed else 0

    @property
    def policy(self) -> str:
        """The policy by which its proofs are verified; empty if nothing is logged yet."""
        with _damage():
            kept = self._kept()
            return str(kept.policy) if kept else ""

    def proof(self, receipt: KeptReceipt) -> ReceiptProof | None:
        """The proof of a receipt, None if no checkpoint covers it yet.

        Raises StoredDataDamaged if the log holds another receipt in its place.
        """
        with _damage():
            kept = self._kept()
            signed = kept.proven(receipt.number) if kept else None
            if kept is None or signed is None:
                return None
            tiles, index = kept.tiles(signed.checkpoint.size), receipt.number - 1
            if tiles.leaves(index // WIDTH)[index % WIDTH] != receipt.leaf:
                raise StoredDataDamaged(f"receipt {receipt.id} is not the one that was logged")
            return ReceiptProof(receipt.leaf, tiles.proof(index, signed.note))

    def _extend(self, following: Callable[[int], Iterator[KeptReceipt]]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with alone(self._folder):
            signer = self._key().receipts_signer
            if not (self._folder / POLICY).exists():
                replace_file(self._folder / POLICY, str(Policy.of(signer.verifier)).encode())
            log = TileLog(self._folder, signer)
            before = log.size
            for receipt in following(before):
                if receipt.number != log.size + 1:
                    break  # The one before it is not complete yet.
                log.append([receipt.leaf])
            if log.size > before:
                log.publish()

    def _kept(self) -> KeptLog | None:
        try:
            text = (self._folder / POLICY).read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return KeptLog(self._folder, Policy.parse(text))


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except _TROUBLE as refused:
        raise StoredDataDamaged(f"the log of receipts: {refused}") from refused
