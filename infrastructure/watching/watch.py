"""One watch: what waits for its client, and how far it has come."""

from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import NamedTuple

from application.ports import Feed
from application.watches import WatchFilter

COUNT = 1024
"""How many events wait for one client at most."""
ROOM = 1024 * 1024
"""How many bytes of events wait for one client, and are sent at once, unless one is larger."""


class Parcel(NamedTuple):
    """An event on its way to a client as it is sent; empty for a sign of life at a position."""

    position: int
    event: bytes


class Watch:
    """One watch. The hub fills it, and the thread that sends takes from it."""

    def __init__(
        self, wanted: WatchFilter, wake: Callable[[], object], end: Callable[[Exception], object]
    ) -> None:
        """`wake` lets the client's stream take; `end` refuses it. Both are safe on any thread."""
        self.filter = wanted
        self.feed: Feed | None = None
        """The feed to which its positions belong; None until its place was found."""
        self._wake = wake
        self.position = 0
        """Every event up to here that matches was put in."""
        self.is_live = False
        """Whether it has ever come to the end of the feed."""
        self.quiet_since = monotonic()
        """When something was put in last."""
        self._end = end
        self._waiting: deque[Parcel] = deque()
        self._has_news = False
        self._last_word: Exception | None = None
        self._size = 0
        self._moved_at = monotonic()
        self._changing = Lock()
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether nothing can be put in or taken any more."""
        return self._ended

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be put in now."""
        return len(self._waiting) >= COUNT or self._size >= ROOM

    def put(self, position: int, event: bytes = b"") -> None:
        """Lets the client have an event, or a sign of life, when `send` is called."""
        with self._changing:
            self.quiet_since = monotonic()
            if not self._waiting:
                self._moved_at = self.quiet_since
            self._waiting.append(Parcel(position, event))
            self._size += len(event)
            self._has_news = True

    def send(self) -> None:
        """Lets the client's stream take what was put in since the last call, if anything was."""
        if self._has_news:
            self._has_news = False
            self._wake()

    def take(self) -> Parcel | None:
        """What is sent next: the events that wait, one after the other, and the last's position.

        None if nothing waits now.
        """
        with self._changing:
            if self._ended:
                return None
            if not self._waiting:
                self._end_if_last()
                return None
            self._moved_at = monotonic()
            first = self._waiting.popleft()
            position, taken, size = first.position, [first.event], len(first.event)
            while self._waiting and size + len(self._waiting[0].event) <= ROOM:
                position, event = self._waiting.popleft()
                taken.append(event)
                size += len(event)
            self._size -= size
            return Parcel(position, b"".join(taken))

    def finish(self, reason: Exception) -> None:
        """Ends it after all that waits was sent."""
        self._last_word = reason
        self._wake()

    def rewind(self) -> None:
        """Takes back what waits: it is to be put in again, as it is stored now."""
        with self._changing:
            self.position = self._resumes_after()
            self._waiting.clear()
            self._size = 0

    def stands_for(self, now: float) -> float:
        """For how many seconds the client has taken nothing although something waits."""
        with self._changing:
            return now - self._moved_at if self._waiting else 0.0

    def leave(self) -> None:
        """Ends it because its client has gone."""
        with self._changing:
            self._ended = True
            self._waiting.clear()

    def refuse(self, why: Callable[[int], Exception]) -> None:
        """Ends it, once: `why` makes the reason from the position after which to resume."""
        with self._changing:
            if self._ended:
                return
            self._ended = True
            after = self._resumes_after()
            self._waiting.clear()
        self._end(why(after))

    def _end_if_last(self) -> None:
        if self._last_word is not None:
            self._ended = True
            self._end(self._last_word)

    def _resumes_after(self) -> int:
        if not self._waiting:
            return self.position
        first = self._waiting[0]
        return first.position - 1 if first.event else first.position
