"""The last feed position that a server process has seen: so it notices a database that lost events.

A restore, or a failover to a standby that was behind, gives a database whose feed ends before what
was acknowledged. Such a database is refused until an operator begins a new epoch, in which
positions count anew.
"""

from threading import Lock
from typing import Any

from psycopg import Connection

from application.ports import NO_FEED, Feed, StoreUnavailable

_END = """
    SELECT (SELECT epoch FROM feed_epoch),
           (SELECT coalesce(max(notification_id), 0) FROM workflow_events)
"""
_NEW_EPOCH = """
    UPDATE feed_epoch SET epoch = greatest(epoch + 1, extract(epoch FROM clock_timestamp())::bigint)
    FROM (SELECT pg_advisory_xact_lock(5005201)) AS after_every_append
    RETURNING epoch
"""


WOUND_BACK = "WF001"
"""The SQLSTATE with which an append is refused if events were lost."""


def wound_back(seen: int) -> StoreUnavailable:
    """The refusal of a database whose feed ends before the position `seen`."""
    return StoreUnavailable(
        "The database lost something that it had recorded",
        reason="STORE_WOUND_BACK",
        retry=False,
        lasting=True,
        why=f"its feed ends before position {seen}, which was seen in this epoch;"
        " after a restore, or a failover with a loss, run: workflows epoch new",
    )


class Horizon:
    """The last position that was seen, and its epoch, over all sessions. Safe on any thread."""

    def __init__(self) -> None:
        self._feed = NO_FEED
        self._position = 0
        self._changing = Lock()

    @property
    def feed(self) -> Feed:
        """The current feed."""
        return self._feed

    @property
    def position(self) -> int:
        """The last position that was seen in this epoch."""
        return self._position

    def saw(self, epoch: int, position: int) -> None:
        """Remembers a position that was read from the database."""
        with self._changing:
            if epoch != self._feed.epoch:
                self._feed, self._position = Feed(epoch), position
            elif position > self._position:
                self._position = position

    def look(self, connection: Connection[Any]) -> None:
        """Checks where the feed of a database ends; called for each new connection.

        Raises StoreUnavailable if it ends before the last position seen in this epoch.
        """
        [(epoch, last)] = connection.execute(_END).fetchall()
        if epoch == self._feed.epoch and last < self._position:
            raise wound_back(self._position)
        self.saw(epoch, last)


def begin_epoch(connection: Connection[Any]) -> Feed:
    """Begins a new epoch, after every append that is under way."""
    [(epoch,)] = connection.execute(_NEW_EPOCH).fetchall()
    return Feed(epoch)
