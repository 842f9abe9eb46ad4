"""Threads that wait for clients, of which there are few: who holds them up when they run out."""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

BRIEF = 0.5  # seconds that a client may hold a thread while threads run out
_SHARE = 0.75  # of the threads: as many that wait are a crowd


class Waiting(Protocol):
    """A call that holds a thread."""

    since: float
    """When it began to wait, by the monotonic clock."""

    @property
    def peer(self) -> str:
        """The connection."""
        ...


W = TypeVar("W", bound=Waiting)


class Crowding(Generic[W]):
    """Finds the calls that must give up their threads, and remembers their connections.

    A client sends a call's message along with its beginning, and reads what it asked for: it holds
    a thread for microseconds. One that does not is waited for only while threads are left.
    """

    def __init__(self, threads: int, memory: float) -> None:
        """`threads` is how many there are; a connection is remembered for `memory` seconds."""
        self._crowd = round(threads * _SHARE)
        self._memory = memory
        self._slow: dict[str, float] = {}  # Connections, and until when they are remembered.

    def is_slow(self, call: W) -> bool:
        """Whether another call of its connection has held up others lately."""
        return bool(self._slow) and call.peer in self._slow

    def look(self, waiting: Iterable[W], now: float) -> list[W]:
        """The calls that must give up their threads; asked several times a second."""
        self._slow = {peer: until for peer, until in self._slow.items() if until > now}
        there = list(waiting)
        if len(there) < self._crowd:
            return []
        late = [call for call in there if call.since < now - BRIEF]
        self._slow.update((call.peer, now + self._memory) for call in late)
        return late
