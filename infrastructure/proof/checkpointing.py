"""The follower that keeps the log of checkpoints: each event a leaf, in the order of the feed."""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from application.followers import FollowerPlace, FollowerRefused
from application.leaves import Leaf, LeafUnreadable, index_of
from application.ports import Feed, FeedBatch, FeedEnd, StoredEvent
from infrastructure.proof.keys import KeyUnusable, SigningKey
from infrastructure.proof.logs import Logs
from infrastructure.tlog.checkpoints import LogRefused, newest
from infrastructure.tlog.files import FolderSource, alone
from infrastructure.tlog.policy import PolicyRefused
from infrastructure.tlog.tiles import WIDTH, Tiles
from infrastructure.tlog.writing import TileLog

NAME = "checkpoints"
FULL_LOAD_EVERY = 0.5  # seconds between two checkpoints while many events come
_NEW_ORIGIN = "begin a new log with: workflows log new-origin"


class Checkpointing:
    """A follower that appends the leaf of each event to the log, and signs checkpoints.

    It refuses to go on if the database does not hold what the log has signed.
    """

    name = NAME
    reads_content = False
    is_stored_with_events = False

    def __init__(self, logs: Logs, key: Callable[[], SigningKey], every: float) -> None:
        """`key` is asked for each time that the follower begins to run.

        A checkpoint covers an event after at most `every` seconds, sooner if many events come.
        """
        self._logs = logs
        self._key = key
        self._every = every
        self._open: _OpenLog | None = None

    def begin(self, place: FollowerPlace | None, end: FeedEnd) -> int:  # noqa: ARG002 - see below
        """See Follower.begin. The log itself tells where it ends, and is believed."""
        self._open = None
        try:
            self._open = self._opened(end)
        except (LogRefused, KeyUnusable, PolicyRefused) as refused:
            raise FollowerRefused(f"the log in {self._logs.root}: {refused}") from refused
        # The last event that it covers is read again: it shows whether this is the same feed.
        return max(0, self._open.size - 1)

    def handle(self, batch: FeedBatch, connection: Any) -> None:  # noqa: ARG002 - none is needed
        """See Follower.handle."""
        log = self._log()
        try:
            log.take(batch.events)
            self._publish_if_due(log)
        except LogRefused as refused:
            raise FollowerRefused(f"the log in {self._logs.root}: {refused}") from refused

    def rest(self) -> None:
        """See Follower.rest."""
        self._publish_if_due(self._log())

    def _publish_if_due(self, log: "_OpenLog") -> None:
        every = min(self._every, FULL_LOAD_EVERY) if log.pending >= WIDTH else self._every
        if log.pending and monotonic() >= log.pending_since + every:
            log.publish()

    def _log(self) -> "_OpenLog":
        if self._open is None:
            raise FollowerRefused("the log is not open")
        return self._open

    def _opened(self, end: FeedEnd) -> "_OpenLog":
        epoch = end.feed.epoch
        signer = self._key().log_signer(epoch)
        epochs = self._logs.epochs()
        if epoch not in epochs:
            if epochs:
                raise LogRefused(
                    f"the database is in epoch {epoch}, the last log is of epoch {epochs[-1]};"
                    f" {_NEW_ORIGIN}"
                )
            self._logs.begin(epoch, signer.verifier)
        log = TileLog(self._logs.folder(epoch), signer)
        if log.size > end.position:
            raise LogRefused(
                f"it covers {log.size} events, and the database holds {end.position}: it was"
                f" restored to an earlier point; run: workflows epoch new, and {_NEW_ORIGIN}"
            )
        return _OpenLog(log, self._logs.source(epoch), end.feed)


class _OpenLog:
    """The log of the current epoch while it is written."""

    def __init__(self, log: TileLog, source: FolderSource, feed: Feed) -> None:
        self._log = log
        self._source = source
        self._feed = feed
        self._last = _last_leaf(source, log.size)
        self.pending_since = 0.0

    @property
    def size(self) -> int:
        return self._log.size

    @property
    def pending(self) -> int:
        """How many leaves no checkpoint covers."""
        return self._log.size - self._log.checkpoint.size

    def take(self, events: Iterable[StoredEvent]) -> None:
        """Appends the leaves of events; the last event of the log may come again."""
        leaves: list[bytes] = []
        size = self._log.size
        for workflow_id, version, position, name, state, _, _ in events:
            leaf = Leaf.of(position, workflow_id, version, name, state)
            if position <= size:
                self._confirm(leaf)
            elif index_of(position) == size + len(leaves):
                leaves.append(leaf.text(self._feed))
            else:
                raise LogRefused(f"position {position} does not follow {size + len(leaves)}")
        if leaves and not self.pending:
            self.pending_since = monotonic()
        self._log.append(leaves)

    def publish(self) -> None:
        """Signs a checkpoint of all leaves, unless another process has signed one meanwhile."""
        with alone(self._source.folder):
            signed = newest(self._source, self._log.signer.verifier)
            size = signed.checkpoint.size if signed else 0
            if size != self._log.checkpoint.size:
                raise LogRefused(f"another process has signed a checkpoint of {size} events")
            self._log.publish()

    def _confirm(self, leaf: Leaf) -> None:
        if self._last is None or leaf.position != self._last.position or leaf == self._last:
            return
        raise LogRefused(
            f"the database holds another event at position {leaf.position} than the log has signed:"
            " it was restored to an earlier point, or changed; see: workflows verify."
            f" After a restore run: workflows epoch new, and {_NEW_ORIGIN}"
        )


def _last_leaf(source: FolderSource, size: int) -> Leaf | None:
    if not size:
        return None
    try:
        return Leaf.parse(Tiles(source, size).leaves((size - 1) // WIDTH)[-1])
    except LeafUnreadable as unreadable:
        raise LogRefused(str(unreadable)) from unreadable
