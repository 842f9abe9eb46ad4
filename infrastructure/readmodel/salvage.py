"""Reads a page around workflows that cannot be read, and finds out which they are.

One damaged value, or one damaged page of the disk, fails every statement that touches it. So the
page is read by halves until what fails is one workflow. Its position is found by statements that
fail too if, and only if, they touch it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from application.ports import StoredDataDamaged

Row = tuple[Any, ...]
Read = Callable[[int, int, int], Sequence[Row]]
"""Returns at most `count` rows of a list created before `before` and not before `since`, newest
first: `(before, since, count)`. Raises StoredDataDamaged if one of them cannot be read."""


@dataclass
class Salvage:
    """Reads the rows of one list that can be read."""

    read: Read
    position_of: Callable[[Row], int]
    rows: list[Row] = field(default_factory=list)
    """Those that were read."""
    damaged: list[int] = field(default_factory=list)
    """The positions of creation of those that could not be read."""

    def take(self, before: int, count: int) -> int:
        """Reads the next `count` rows created before a position, the unreadable ones counted.

        Returns the position of the last one; 0 if the list ends before.
        """
        try:
            found = self.read(before, 0, count)
        except StoredDataDamaged:
            if count == 1:
                position = self._first_damaged(before)
                self.damaged.append(position)
                return position
            half = count // 2
            reached = self.take(before, half)
            return self.take(reached, count - half) if reached else 0
        self.rows += found
        return self.position_of(found[-1]) if len(found) == count else 0

    def _first_damaged(self, before: int) -> int:
        """The position of the newest workflow before a position, which cannot be read."""
        width = 1
        while width < before and not self._fails(before, before - width):
            width *= 2
        whole, fails = before - width // 2, max(before - width, 0)
        while whole - fails > 1:
            middle = (whole + fails) // 2
            if self._fails(before, middle):
                fails = middle
            else:
                whole = middle
        return fails

    def _fails(self, before: int, since: int) -> bool:
        try:
            self.read(before, since, 1)
        except StoredDataDamaged:
            return True
        return False
