"""Receipts of erasures in a folder: what a restore of the database does not take back."""

from collections.abc import Callable, Iterator
from pathlib import Path

from application.ports import StoredDataDamaged
from application.receipts import KeptReceipt, ReceiptProof, ReceiptRefused
from infrastructure.proof.keys import SigningKey, signing_key
from infrastructure.proof.logs import logs_of
from infrastructure.proof.receiptlog import ReceiptLog
from infrastructure.settings import Settings
from infrastructure.tlog.files import replace_file, sync_folders
from infrastructure.tlog.notes import Note, NoteRefused

_FOLDER, _LOG = "receipts", "erasures"
_ROOM = 1024 * 1024 * 1024  # bytes: a user may have had any number of workflows


class FolderReceipts:
    """Receipts in a folder, each a signed note in a file of its own, named by its id."""

    def __init__(self, root: Path, key: Callable[[], SigningKey]) -> None:
        """`key` returns the key that signs receipts; it is asked for when it is needed."""
        self._folder = root / _FOLDER
        self._key = key
        self.proofs = ReceiptLog(root / _LOG, key)

    def sign(self, text: str) -> str:
        """A signed note of a text."""
        return str(self._key().sign(text))

    def keep(self, receipt_id: str, receipt: str) -> None:
        """See Receipts.keep."""
        try:
            replace_file(self._folder / receipt_id, receipt.encode())
            sync_folders([self._folder])
        except OSError as refused:
            raise ReceiptRefused(
                f"Receipts of erasures cannot be kept in {self._folder}: {refused.strerror}. Let"
                " the service write there, name a folder by --log-dir, or start it with"
                " --no-followers: then it erases nobody"
            ) from refused

    def kept(self) -> Iterator[tuple[str, str]]:
        """See Receipts.kept."""
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            if not path.name.startswith("."):
                yield path.name, self._verified(path)

    def log(self, following: Callable[[int], Iterator[KeptReceipt]]) -> None:
        """See Receipts.log."""
        self.proofs.extend(following)

    def proof(self, receipt: KeptReceipt) -> ReceiptProof | None:
        """See Receipts.proof."""
        try:
            return self.proofs.proof(receipt)
        except StoredDataDamaged:
            return None  # ListErasures says it, and writing the log has told operators.

    @property
    def logged(self) -> int:
        """See Receipts.logged."""
        return self.proofs.size

    def _verified(self, path: Path) -> str:
        receipt = path.read_text(encoding="utf-8", errors="replace")
        try:
            signed = Note.parse(receipt, _ROOM).signed_by([self._key().verifier])
        except NoteRefused as refused:
            raise ReceiptRefused(f"The receipt {path} cannot be used: {refused}") from refused
        if not signed:
            raise ReceiptRefused(
                f"The receipt {path} is not signed by the key of this service. Bring back the key"
                " that signed it, or move it away if it is not yours."
            )
        return receipt


def receipts_of(settings: Settings) -> FolderReceipts:
    """The receipts of an installation: beside its logs, or else in its data folder."""
    logs = logs_of(settings)
    root = logs.root if logs else settings.data_dir
    return FolderReceipts(root, lambda: signing_key(settings))
