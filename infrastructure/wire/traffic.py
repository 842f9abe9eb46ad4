"""The calls under way on a wire: their count, and those that wait too long for their clients."""

from collections import Counter
from collections.abc import Callable, Collection
from enum import IntEnum
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

from infrastructure.wire.calls import (
    LateMessage,
    Metadata,
    Method,
    NotServed,
    TooManyCalls,
    TooMuchMetadata,
    UnreadAnswers,
)
from infrastructure.wire.limits import KIB, Limits
from infrastructure.wire.memory import give_back

LOOK_EVERY = 1.0  # seconds between two checks of all calls
LARGE = 16 * KIB  # bytes: smaller answers are bounded by the number of calls
FLOOD = 500  # calls under way at once
ORDINARY = 64  # the same
_ENTRY = 32  # bytes that HTTP/2 adds for each key and value


class Stage(IntEnum):
    """What a call waits for."""

    MESSAGE = 0
    """Its client: the request has not arrived."""
    METHOD = 1
    """The service."""
    READING = 2
    """Its client: the answer has not been read."""


Unread = tuple[str, int]
"""A connection and bytes; kept here, since an ended call does not know its connection any more."""


class UnderWay(Protocol):
    """A call that traffic counts."""

    stage: Stage
    since: float
    """When the stage began, by the monotonic clock."""
    unread: Unread | None
    """The bytes of a large answer."""

    @property
    def method(self) -> Any:
        """What answers the call."""
        ...

    @property
    def peer(self) -> str:
        """The connection."""
        ...

    def cancel(self) -> None:
        """Ends the call without a status."""
        ...


C = TypeVar("C", bound=UnderWay)


class Traffic(Generic[C]):
    """The calls of one wire. Safe on any threads."""

    def __init__(self, limits: Limits, urgent: Collection[Method] = ()) -> None:
        """Calls of `urgent` methods are never too many."""
        self._limits = limits
        self._urgent = urgent
        self._peak = 0  # of the calls under way at once, since traffic was last looked at
        self._flood = 0  # the highest peak of a flood whose memory was not given back; or 0
        self._unread: Counter[str] = Counter()
        self._counting = Lock()
        self.calls: set[C] = set()
        """All that have not ended."""

    def enter(self, call: C, metadata: Metadata) -> None:
        """Counts a new call. It is counted also if this raises TooManyCalls or TooMuchMetadata."""
        self.calls.add(call)
        calls = len(self.calls)
        if calls > self._peak:  # noqa: PLR1730 - max() costs more, and each call passes here
            self._peak = calls
        if calls > self._limits.calls and call.method not in self._urgent:
            raise TooManyCalls("The service has as many calls under way as it takes. Try again.")
        size = 0
        for key, value in metadata:
            size += len(key) + len(value) + _ENTRY
        if size > self._limits.metadata_bytes:
            raise TooMuchMetadata(
                f"The call's metadata has {size} bytes; send at most {self._limits.metadata_bytes}."
            )

    def answer(self, call: C, size: int) -> None:
        """Counts a large answer. Raises UnreadAnswers if its connection has too many unread."""
        peer = call.peer
        with self._counting:
            if self._unread[peer] + size > self._limits.unread_bytes and self._unread[peer]:
                raise UnreadAnswers(
                    f"Answers of {self._unread[peer]} bytes wait to be read on this connection."
                    " Read them, then try again."
                )
            self._unread[peer] += size
            call.unread = (peer, size)

    def leave(self, call: C) -> None:
        """Forgets a call that has ended."""
        self.calls.discard(call)
        if call.unread:
            peer, size = call.unread
            with self._counting:
                self._unread[peer] -= size
                if self._unread[peer] <= 0:
                    del self._unread[peer]

    def has_subsided(self) -> bool:
        """Whether a flood of calls is over; True once for each. Asked by each look.

        A flood may come and end between two questions, so its peak counts, not what is seen now.
        It is over when there was none since the question before: the library frees the memory of
        calls and connections somewhat later than the calls end.
        """
        calls = len(self.calls)
        peak, self._peak = self._peak, calls
        if peak >= FLOOD:
            self._flood = max(self._flood, peak)
            return False
        if not self._flood or calls > max(ORDINARY, self._flood // 50):
            return False
        self._flood = 0
        return True

    def look(self, now: float, refuse: Callable[[C, NotServed], None]) -> None:
        """Ends the calls that wait for their clients too long, and gives back a flood's memory.

        Called every LOOK_EVERY seconds.
        """
        if self.has_subsided():
            give_back()
        long_ago = now - self._limits.patience
        for call in list(self.calls):
            if call.stage is Stage.METHOD or call.since >= long_ago:
                continue
            if call.stage is Stage.MESSAGE:
                refuse(call, LateMessage("The call's message did not arrive in time."))
            else:
                call.cancel()
