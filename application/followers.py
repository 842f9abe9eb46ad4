"""Followers of the feed: each does its work once for every event, in the order of positions.

A follower that writes to the database does so in the transaction that stores its position: it
handles every event exactly once. Another follower stores its position afterwards: after a crash it
is given some events again, and must know them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from application.ports import Feed, FeedBatch, FeedEnd


@dataclass(frozen=True, slots=True)
class FollowerPlace:
    """The position up to which a follower has handled a feed."""

    feed: Feed
    position: int


@dataclass(frozen=True, slots=True)
class FollowerState:
    """A follower as operators see it, whichever process runs it.

    `behind` is how many events it has not handled. `running` says whether a process runs it now.
    `failures` counts the tries in a row that failed, 0 if all is well; `fault` is what went wrong
    last, empty if nothing ever did.
    """

    name: str
    place: FollowerPlace
    behind: int
    running: bool
    updated_at: datetime
    failures: int
    fault: str
    fault_at: datetime | None


class FollowerRefused(Exception):
    """A follower does not go on until an operator acts; the text says what to do."""


class Follower(Protocol):
    """One follower. Its methods run on one thread, in one server process at a time.

    If a process loses its connection, it can notice a little later than another process takes over:
    a follower that writes files must lock them itself.
    """

    @property
    def name(self) -> str:
        """Its name: a word that never changes."""
        ...

    @property
    def reads_content(self) -> bool:
        """Whether it needs the content of events, or only the bytes that digests run over."""
        ...

    @property
    def is_stored_with_events(self) -> bool:
        """Whether all that it writes stands in the database of the events."""
        ...

    def begin(self, place: FollowerPlace | None, end: FeedEnd) -> int:
        """The position after which it goes on; called when this process begins to run it.

        `place` is where it was, None if it never ran. Raises FollowerRefused.
        """
        ...

    def handle(self, batch: FeedBatch, connection: Any) -> None:
        """Does its work for the events of a batch.

        `connection` is that of the open transaction if it is stored with the events, else None.
        Whatever it raises is reported, and the same events are given again after a pause.
        """
        ...

    def rest(self) -> None:
        """Is called about twenty times a second while there are no new events. Must be quick."""
        ...


def goes_on(place: FollowerPlace | None, end: FeedEnd) -> int:
    """How a follower that is stored with the events begins: where it was.

    A restore brings its work back to the same moment as the events, so a new epoch changes nothing.
    Raises FollowerRefused if it is ahead of the events: then it was restored apart from them.
    """
    if place is None:
        return 0
    if place.position > end.position:
        raise FollowerRefused(
            f"it has handled the feed up to {place.position}, and the feed ends at {end.position};"
            " let it begin again"
        )
    return place.position


def stays_in_its_epoch(place: FollowerPlace | None, end: FeedEnd) -> int:
    """How a follower that is stored elsewhere begins: where it was, in the same epoch only.

    What it wrote in another epoch may tell of events that no longer exist, and only an operator
    knows what to do about it. Raises FollowerRefused.
    """
    if place is None:
        return 0
    if place.feed != end.feed:
        raise FollowerRefused(
            f"it has handled feed {place.feed}, and the database has feed {end.feed} since it was"
            " restored or replaced"
        )
    return place.position
