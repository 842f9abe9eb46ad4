"""A queue with a line for each caller: callers take turns, so none can starve others."""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

LEAST_COST = 1024
"""The least cost of a waiter in bytes of a turn: small work also costs something."""


@dataclass(eq=False, slots=True)
class Waiter:
    """Something that waits: its caller, its size in bytes, and its deadline or None."""

    caller: str
    size: int
    deadline: float | None


W = TypeVar("W", bound=Waiter)


class _Line(deque[W]):
    """The waiters of one caller, and their bytes together."""

    size = 0


class FairQueue(Generic[W]):
    """Waiters in the order in which they are taken.

    The waiters of one caller keep their order. Callers take turns: a turn is one waiter, or as
    many as cost no more than `turn` bytes together.
    """

    def __init__(self, turn: int) -> None:
        self._turn = turn
        self._lines: dict[str, _Line[W]] = {}
        self._turns: deque[str] = deque()  # Callers with a line; the first is next.
        self.count = 0
        """How many wait."""
        self.size = 0
        """Bytes of all waiters together."""

    def held_by(self, caller: str) -> tuple[int, int]:
        """How many waiters a caller has, and their bytes."""
        line = self._lines.get(caller)
        return (0, 0) if line is None else (len(line), line.size)

    def put(self, waiter: W) -> None:
        """Adds a waiter at the end of its caller's line."""
        line = self._lines.get(waiter.caller)
        if line is None:
            line = self._lines[waiter.caller] = _Line()
            self._turns.append(waiter.caller)
        line.append(waiter)
        line.size += waiter.size
        self.size += waiter.size
        self.count += 1

    def remove(self, waiter: W) -> bool:
        """Removes a waiter; False if it does not wait."""
        line = self._lines.get(waiter.caller)
        if line is None or waiter not in line:
            return False
        line.remove(waiter)
        self._removed(line, waiter)
        if not line:
            del self._lines[waiter.caller]
            self._turns.remove(waiter.caller)
        return True

    def take(self, count: int, room: int, now: float) -> tuple[list[W], list[W]]:
        """Removes the next batch: at most `count` waiters that fit into `room` bytes.

        A waiter larger than the room goes alone. Returns the batch, and separately the waiters
        whose deadline has passed.
        """
        if self.count <= count and self.size <= room:
            return self._take_all(now)
        batch: list[W] = []
        late: list[W] = []
        while self._turns and len(batch) < count:
            line = self._lines[self._turns[0]]
            left = self._turn
            first = len(batch)
            while line and len(batch) < count:
                waiter = line[0]
                if waiter.deadline is not None and waiter.deadline <= now:
                    late.append(waiter)
                elif batch and waiter.size > room:
                    if len(batch) > first:
                        self._end_turn(line)
                    return batch, late
                elif len(batch) > first and max(waiter.size, LEAST_COST) > left:
                    break
                else:
                    batch.append(waiter)
                    room -= waiter.size
                    left -= max(waiter.size, LEAST_COST)
                line.popleft()
                self._removed(line, waiter)
            self._end_turn(line)
        return batch, late

    def _take_all(self, now: float) -> tuple[list[W], list[W]]:
        """All waiters, if they fit into one batch: turns make no difference then."""
        waiting = [waiter for caller in self._turns for waiter in self._lines[caller]]
        self._lines.clear()
        self._turns.clear()
        self.count = self.size = 0
        late = [each for each in waiting if each.deadline is not None and each.deadline <= now]
        if late:
            waiting = [each for each in waiting if each not in late]
        return waiting, late

    def _end_turn(self, line: _Line[W]) -> None:
        caller = self._turns.popleft()
        if line:
            self._turns.append(caller)
        else:
            del self._lines[caller]

    def _removed(self, line: _Line[W], waiter: W) -> None:
        line.size -= waiter.size
        self.size -= waiter.size
        self.count -= 1
