"""The logs of checkpoints in their folder, as questions about the past read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from application.history.proofs import Inclusion, NotProvable, SignedState
from application.leaves import Leaf, LeafUnreadable, index_of
from application.ports import Feed, StoredDataDamaged
from infrastructure.proof.kept import KeptLog
from infrastructure.proof.logs import Logs
from infrastructure.tlog.checkpoints import CHECKPOINT, LogRefused
from infrastructure.tlog.files import SourceUnavailable
from infrastructure.tlog.notes import NoteRefused
from infrastructure.tlog.tiles import WIDTH

_NO_LOG = "This server keeps no log of checkpoints, so nothing can be proved. Set --log-dir."
_NOTHING_SIGNED = "No checkpoint is signed yet. Try again soon."


class FolderLogs:
    """Implements SignedLogs over a folder of logs. Files are read anew for each answer."""

    def __init__(self, logs: Logs | None) -> None:
        """`logs` is None if the installation keeps none."""
        self._logs = logs

    def size(self, feed: Feed) -> int:
        """See SignedLogs.size."""
        try:
            with damage_of_logs():
                signed = self._log(feed).newest()
        except (NotProvable, StoredDataDamaged):
            return 0
        return signed.checkpoint.size if signed else 0

    def newest(self, feed: Feed) -> SignedState:
        """See SignedLogs.newest."""
        log = self._log(feed)
        with damage_of_logs():
            signed = log.newest()
            if signed is None:
                raise NotProvable(_NOTHING_SIGNED)
            same = [each for each in log.cosigned() if each.checkpoint == signed.checkpoint]
            note = same[-1].note if same else signed.note
            signed_at = (log.folder / CHECKPOINT).stat().st_mtime
            return SignedState(
                str(note),
                signed.checkpoint.origin,
                signed.checkpoint.size,
                signed.checkpoint.root,
                datetime.fromtimestamp(signed_at, UTC),
                str(log.policy),
                log.policy.cosigners(note),
            )

    def inclusion(self, feed: Feed, position: int) -> Inclusion:
        """See SignedLogs.inclusion."""
        log = self._log(feed)
        with damage_of_logs():
            signed = log.proven(position)
            if signed is None:
                raise NotProvable(
                    f"No checkpoint covers position {position} yet. If the event exists, try again"
                    " in a few seconds."
                )
            size, index = signed.checkpoint.size, index_of(position)
            tiles = log.tiles(size)
            text = tiles.leaves(index // WIDTH)[index % WIDTH]
            return Inclusion(tiles.proof(index, signed.note), Leaf.parse(text), text, size)

    def _log(self, feed: Feed) -> KeptLog:
        with damage_of_logs():
            log = KeptLog.of(self._logs, feed.epoch)
        if log is None:
            raise NotProvable(_NO_LOG if self._logs is None else _NOTHING_SIGNED)
        return log


@contextmanager
def damage_of_logs() -> Iterator[None]:
    """Raises StoredDataDamaged for whatever is wrong with a log that is read in the block."""
    try:
        yield
    except (LogRefused, NoteRefused, LeafUnreadable, SourceUnavailable, OSError) as refused:
        raise StoredDataDamaged(f"the log of checkpoints: {refused}") from refused
