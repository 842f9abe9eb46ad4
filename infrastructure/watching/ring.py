"""The newest events in memory: read once, for all watches."""

from collections import deque
from collections.abc import Sequence
from itertools import islice

from application.ports import RecordedEvent, StoredEvent


class Moment:
    """An event on its way to watches: as it is stored, and as it is sent, once one needs it."""

    __slots__ = ("event", "shown", "size", "stored")

    def __init__(self, stored: StoredEvent) -> None:
        self.stored = stored
        self.size = len(stored.state) + len(stored.content or b"")
        self.event: RecordedEvent | None = None
        """The event, once it was decoded."""
        self.shown = b""
        """The event as it is sent; empty until a watch needs it."""


class Ring:
    """The moments after the position `start` up to `end`, without a gap."""

    def __init__(self, count: int, room: int) -> None:
        """At most `count` events and about `room` bytes are kept; at least the newest one."""
        self._count = count
        self._room = room
        self._size = 0
        self._moments: deque[Moment] = deque()
        self.end = 0

    @property
    def start(self) -> int:
        """The position after which the ring holds every event."""
        return self.end - len(self._moments)

    def begin(self, end: int) -> None:
        """Forgets everything, and goes on after a position."""
        self._moments.clear()
        self._size = 0
        self.end = end

    def add(self, events: Sequence[StoredEvent]) -> None:
        """Adds the events that follow; the oldest ones leave if there is no room."""
        for event in events:
            moment = Moment(event)
            self._moments.append(moment)
            self._size += moment.size
            self.end = event.position
        while len(self._moments) > self._count or (
            self._size > self._room and len(self._moments) > 1
        ):
            self._size -= self._moments.popleft().size

    def after(self, position: int, limit: int) -> list[Moment]:
        """At most `limit` moments after a position from `start` to `end`."""
        first = position - self.start
        return list(islice(self._moments, first, first + limit))
