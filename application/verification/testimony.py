"""What is known of events that differ from the log, so that no consequence is named as damage.

If the log says that an event was removed, its successor is not broken; if an event was inserted,
the rows that still name the old positions are not wrong.
"""

from bisect import bisect, insort
from collections.abc import Iterable
from typing import NamedTuple

from application.leaves import Leaf
from application.verification.findings import Finding, Kind

MOST = 100_000
"""How many differences are remembered; if there are more, only what the log shows is named."""

Identity = tuple[str, int]
"""A workflow and a version."""


class Difference(NamedTuple):
    """A finding, with the event as it is stored and as it was signed; None if there is none."""

    finding: Finding
    stored: Leaf | None = None
    signed: Leaf | None = None


class Testimony:
    """Remembers differences from the log, and missing positions."""

    def __init__(self, differences: Iterable[Difference] = ()) -> None:
        self._digests: dict[Identity, bytes] = {}
        self._signed_as: dict[Identity, Identity] = {}
        self._strange: set[Identity] = set()
        self._touched: set[str] = set()
        self._holes: list[int] = []
        self._count = 0
        for difference in differences:
            self.add(difference)

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs and no position is missing."""
        return not self._count

    def add(self, difference: Difference) -> None:
        """Remembers a difference."""
        finding, stored, signed = difference
        self._count += 1
        if self._count > MOST:
            return
        for leaf in (stored, signed):
            if leaf is not None:
                self._touched.add(leaf.workflow_id)
        if finding.kind is Kind.SWAPPED_EVENTS:
            return  # Both are whole: only their positions are wrong.
        if signed is not None:
            self._digests[signed.identity] = bytes.fromhex(signed.digest)
        if stored is None:
            return
        if signed is not None and signed.identity == stored.identity:
            return
        if signed is None or signed.digest != stored.digest:
            self._strange.add(stored.identity)
        else:
            self._signed_as[stored.identity] = signed.identity

    def add_hole(self, position: int) -> None:
        """Remembers a position at which no event stands."""
        self._count += 1
        if self._count <= MOST:
            insort(self._holes, position)

    def touches(self, workflow_id: str) -> bool:
        """Whether events of a workflow differ from the log; true if that cannot be told."""
        return self._count > MOST or workflow_id in self._touched

    def digest(self, identity: Identity) -> bytes | None:
        """The digest that was signed for an event that differs; None if it does not.

        It is empty if only the hash of the event's leaf is known.
        """
        return self._digests.get(identity)

    def signed_as(self, identity: Identity) -> Identity | None:
        """The place in its workflow for which an event was signed; None if it was not signed."""
        return None if identity in self._strange else self._signed_as.get(identity, identity)

    def holes(self, after: int, before: int) -> int:
        """How many missing positions are known between two positions."""
        return max(0, bisect(self._holes, before - 1) - bisect(self._holes, after))

    def is_hole(self, position: int) -> bool:
        """Whether no event stands at a position, and others follow."""
        return self.holes(position - 1, position + 1) > 0
