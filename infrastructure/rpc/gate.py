"""The gate before every method of ours: open while the service serves, closed when it stops.

It is also where load is shed: beyond `shed_at` calls, those that change something are refused and
reads go on; beyond `calls`, all are. Health and the probes of HTTP pass no gate.
"""

from collections.abc import Callable
from sys import maxsize
from threading import Event, Lock

from infrastructure.lanes.refusals import Draining, Overloaded


class Gate:
    """Counts the calls inside, of all doors together. Safe on any threads."""

    __slots__ = (
        "_calls", "_closed", "_counting", "_empty", "_inside", "_most_streams", "_shed_at",
        "_streams", "turned_away",
    )  # fmt: skip

    def __init__(
        self, calls: int = maxsize, shed_at: int = maxsize, streams: int = maxsize
    ) -> None:
        """So many calls may be inside, so many of them before changes are refused; and streams."""
        self._calls = calls
        self._shed_at = min(shed_at, calls)
        self._most_streams = streams
        self._inside = 0
        self._closed = False
        self._counting = Lock()
        self._empty = Event()
        self._streams: set[Callable[[], object]] = set()
        self.turned_away = 0
        """How many calls came after the gate was closed."""

    @property
    def inside(self) -> int:
        """How many calls are inside."""
        return self._inside

    def enter(self, *, changes: bool = False) -> None:
        """Lets a call in, which changes something or only reads; `leave` must follow.

        Raises Draining if the gate is closed, and Overloaded if too many calls are inside.
        """
        with self._counting:
            if self._closed:
                self.turned_away += 1
                raise Draining
            if self._inside >= (self._shed_at if changes else self._calls):
                raise Overloaded
            self._inside += 1

    def leave(self) -> None:
        """Counts the end of a call that was let in."""
        with self._counting:
            self._inside -= 1
            if self._closed and not self._inside:
                self._empty.set()

    def enter_stream(self, end: Callable[[], object]) -> None:
        """Lets a stream in, which nothing waits for: `end` is called when the gate is closed.

        `leave_stream` must follow. Raises Draining if the gate is closed, and Overloaded if it has
        too many streams.
        """
        with self._counting:
            if self._closed:
                self.turned_away += 1
                raise Draining
            if len(self._streams) >= self._most_streams:
                raise Overloaded
            self._streams.add(end)

    def leave_stream(self, end: Callable[[], object]) -> None:
        """Forgets a stream that has ended. Does nothing if it was not let in."""
        with self._counting:
            self._streams.discard(end)

    def close(self) -> None:
        """Lets no more calls in; those that are inside go on, and streams are ended."""
        with self._counting:
            self._closed = True
            if not self._inside:
                self._empty.set()
            streams = list(self._streams)
        for end in streams:
            end()

    def drained(self, within: float) -> bool:
        """Waits until the gate is closed and empty; False after `within` seconds."""
        return self._empty.wait(within)
