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
from infrastructure.wire.memory import Memory

LOOK_EVERY = 1.0  # seconds between two checks of all calls
LARGE = 2 * KIB  # bytes: smaller answers are bounded by the number of calls
ORDINARY = 64  # calls under way at once
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
        self._memory = Memory()
        self._unread: Counter[str] = Counter()
        self._all_unread = 0
        self._counting = Lock()
        self.calls: set[C] = set()
        """All that have not ended."""

    def enter(self, call: C, metadata: Metadata) -> None:
        """Counts a new call. It is counted also if this raises TooManyCalls or TooMuchMetadata."""
        self.calls.add(call)
        if len(self.calls) > self._limits.calls and call.method not in self._urgent:
            raise TooManyCalls("The service has as many calls under way as it takes. Try again.")
        size = 0
        for key, value in metadata:
            size += len(key) + len(value) + _ENTRY
        if size > self._limits.metadata_bytes:
            raise TooMuchMetadata(
                f"The call's metadata has {size} bytes; send at most {self._limits.metadata_bytes}."
            )

    def answer(self, call: C, size: int) -> None:
        """Counts a large answer. Raises UnreadAnswers if too many bytes of them are unread.

        A connection without unread answers may always have one.
        """
        peer = call.peer
        with self._counting:
            unread = self._unread[peer]
            if unread and unread + size > self._limits.unread_bytes:
                raise UnreadAnswers(
                    f"Answers of {unread} bytes wait to be read on this connection."
                    " Read them, then try again."
                )
            if unread and self._all_unread + size > self._limits.unread_bytes_of_all:
                raise UnreadAnswers(
                    f"Answers of {self._all_unread} bytes wait to be read on all connections, and"
                    f" {unread} of them on this one. Read them, then try again."
                )
            self._unread[peer] += size
            self._all_unread += size
            call.unread = (peer, size)

    def leave(self, call: C) -> None:
        """Forgets a call that has ended."""
        self.calls.discard(call)
        if call.unread:
            peer, size = call.unread
            with self._counting:
                self._all_unread -= size
                self._unread[peer] -= size
                if self._unread[peer] <= 0:
                    del self._unread[peer]

    def look(self, now: float, refuse: Callable[[C, NotServed], None]) -> None:
        """Ends the calls that wait for their clients too long, and gives back a flood's memory.

        Called every LOOK_EVERY seconds.
        """
        self._memory.look(calm=len(self.calls) <= ORDINARY)
        long_ago = now - self._limits.patience
        for call in list(self.calls):
            if call.stage is Stage.METHOD or call.since >= long_ago:
                continue
            if call.stage is Stage.MESSAGE:
                refuse(call, LateMessage("The call's message did not arrive in time."))
            else:
                call.cancel()
