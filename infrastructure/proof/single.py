"""How the events of one workflow differ from the log, without a walk over the whole feed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from psycopg import Connection

from application.leaves import Leaf
from application.verification.alignment import changed, inserted, moved, removed
from application.verification.findings import Finding, Kind
from application.verification.testimony import Difference, Identity
from infrastructure.proof.kept import KeptLog

AROUND = 65_536
"""How many positions before and after its events those of a workflow are looked for in the log."""

_LEAVES = """
    SELECT notification_id, originator_id::text, originator_version, topic, state
    FROM workflow_events WHERE originator_id = %s ORDER BY originator_version
"""
_LEAF_AT = """
    SELECT notification_id, originator_id::text, originator_version, topic, state
    FROM workflow_events WHERE notification_id = %s
"""
_LAST_IN_ROW = "SELECT version FROM workflows WHERE id = %s"


class SingleWorkflow:
    """The events of a workflow beside a log that covers `size` events."""

    def __init__(
        self, connection: Connection[Any], log: KeptLog, size: int, workflow_id: str
    ) -> None:
        self._connection = connection
        self._log = log
        self._size = size
        self._id = workflow_id

    def differences(self, end: int) -> Iterator[Difference]:
        """What differs; `end` is where the feed ends. Raises LogRefused or LeafUnreadable.

        The log is searched only if an event is not where it was signed, or if one is missing.
        """
        rows = self._connection.execute(_LEAVES, (self._id,), binary=True)
        stored = {leaf.identity: leaf for leaf in (Leaf.of(*row) for row in rows)}
        if self._fits(list(stored.values())):
            return
        signed = self._signed(stored, end)
        shifted = False
        for identity in sorted({*stored, *signed}):
            here, there = stored.get(identity), signed.get(identity)
            if here is not None and there is not None:
                if (change := changed(here, there)) is not None:
                    yield Difference(change, here, there)
                elif here.position != there.position and not shifted:
                    shifted = True  # Those after it moved with it.
                    yield Difference(moved(here, there), here, there)
            elif here is not None and here.position <= self._size:
                yield self._unsigned(here)
            elif there is not None:
                yield self._missing(there, end)

    def _fits(self, stored: Sequence[Leaf]) -> bool:
        """Whether every event is where it was signed, and none is missing before the last."""
        row = self._connection.execute(_LAST_IN_ROW, (self._id,)).fetchone()
        if len(stored) < max(row[0] if row else 0, stored[-1].version if stored else 0):
            return False
        return all(
            self._log.leaf(leaf.position, self._size) == leaf
            for leaf in stored
            if leaf.position <= self._size
        )

    def _signed(self, stored: Mapping[Identity, Leaf], end: int) -> Mapping[Identity, Leaf]:
        positions = [leaf.position for leaf in stored.values()] or [end]
        begin, last = min(positions) - AROUND, max(positions) + AROUND
        found = self._log.leaves_of(self._id, begin, min(last, self._size), self._size)
        return {leaf.identity: leaf for leaf in found}

    def _unsigned(self, stored: Leaf) -> Difference:
        """The difference of an event that was not signed as one of this workflow."""
        signed = self._log.leaf(stored.position, self._size)
        if signed is not None and signed.digest == stored.digest:
            return Difference(moved(stored, signed), stored, signed)
        return Difference(inserted(stored), stored)

    def _missing(self, signed: Leaf, end: int) -> Difference:
        """The difference of an event that was signed, and is not stored as what it was."""
        row = self._connection.execute(_LEAF_AT, (signed.position,), binary=True).fetchone()
        there = Leaf.of(*row) if row else None
        if there is not None and there.digest == signed.digest:
            return Difference(moved(there, signed), there, signed)
        if there is not None:
            return Difference(removed(signed), None, signed)
        kind = Kind.CUT_TAIL if signed.position > end else Kind.MISSING_EVENT
        sentence = "no event stands here; one was signed"
        finding = Finding(kind, signed.position, sentence, signed.workflow_id, signed.version)
        return Difference(finding, None, signed)
