"""The feed: every event of every workflow, read in the order in which they were committed."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from application.ports.events import Feed, RecordedEvent
from domain.values import value


class FeedEnd(NamedTuple):
    """Where a feed ends: the feed, and the position of its last event; 0 if it has none."""

    feed: Feed
    position: int


class StoredEvent(NamedTuple):
    """An event exactly as it is stored.

    `name` is its stored name, such as created.v1. `state` holds the bytes that digests run over.
    `salt` and `content` are None if the content was erased, or was not asked for.
    """

    workflow_id: str
    version: int
    position: int
    name: str
    state: bytes
    salt: bytes | None
    content: bytes | None


@value()
class FeedBatch:
    """Events that follow one another in the feed, the first right after the position `after`.

    `end` is where the feed ended when they were read. A batch without events means that `after` is
    the end.
    """

    after: int
    events: Sequence[StoredEvent]
    end: FeedEnd

    @property
    def position(self) -> int:
        """The position up to which this batch reaches."""
        return self.after + len(self.events)

    @property
    def behind(self) -> int:
        """How many events follow this batch in the feed."""
        return max(0, self.end.position - self.position)


class EventFeed(Protocol):
    """Reads the feed. For one thread. Each method raises StoreUnavailable."""

    def end(self) -> FeedEnd:
        """Where the feed ends now."""
        ...

    def read(self, after: int, *, limit: int, room: int, content: bool = True) -> FeedBatch:
        """The events after a position: at most `limit`, and no more than fit into `room` bytes.

        The first one is always included, whatever its size. Without `content`, only the bytes that
        digests run over are read. Positions follow one another without a gap: if one is missing,
        this raises StoredDataDamaged, which names it, and nothing is skipped. It raises
        StoreUnavailable if the feed ends before `after`.
        """
        ...

    def decode(self, stored: StoredEvent) -> RecordedEvent:
        """The event in stored bytes, read with its content. Raises StoredDataDamaged."""
        ...
