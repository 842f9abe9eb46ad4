"""What verification finds, and the two verdicts that follow from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from application.ports import Feed

MOST = 100
"""How many findings a verdict holds at most; the others are counted."""


class Kind(StrEnum):
    """What can be found. The words are part of the contract."""

    CHANGED_BYTES = "CHANGED_BYTES"
    """The stored bytes of an event are not those that the log signed."""
    CHANGED_NAME = "CHANGED_NAME"
    """The stored name of an event is not the one that the log signed."""
    CHANGED_CONTENT = "CHANGED_CONTENT"
    """Content or salt of an event do not fit the digest in its stored bytes."""
    LOST_CONTENT = "LOST_CONTENT"
    """The content of events is missing, and no erasure removed it."""
    REWRITTEN_CHAIN = "REWRITTEN_CHAIN"
    """Events of a workflow were changed, and those after them chained to them anew."""
    BROKEN_CHAIN = "BROKEN_CHAIN"
    """An event does not follow the one before it in its workflow."""
    SWAPPED_EVENTS = "SWAPPED_EVENTS"
    """Two events stand in each other's places."""
    INSERTED_EVENT = "INSERTED_EVENT"
    """An event stands between others, and the log has never seen it."""
    REMOVED_EVENT = "REMOVED_EVENT"
    """An event that the log signed is missing, and those after it moved up."""
    MOVED_EVENT = "MOVED_EVENT"
    """An event stands in another workflow, version or position than it was signed for."""
    REPLACED_EVENT = "REPLACED_EVENT"
    """Another event stands in the place of one that the log signed."""
    UNREADABLE_EVENT = "UNREADABLE_EVENT"
    """An event is none that this service can have stored."""
    IMPOSSIBLE_EVENT = "IMPOSSIBLE_EVENT"
    """An event cannot follow the state before it."""
    WRONG_ROW = "WRONG_ROW"
    """A row is not the fold of its workflow's events."""
    MISSING_ROW = "MISSING_ROW"
    """A workflow has events and no row."""
    STRANGE_ROW = "STRANGE_ROW"
    """A row belongs to no events."""
    LEDGER_ASTRAY = "LEDGER_ASTRAY"
    """An entry of the ledger names an event that does not stand where it says."""
    DAMAGED_STORAGE = "DAMAGED_STORAGE"
    """The database cannot read what it stored; what is on the same pages was not verified."""
    DAMAGED_LOG = "DAMAGED_LOG"
    """The files of the log contradict each other, or its signature does not hold."""
    REWRITTEN_LOG = "REWRITTEN_LOG"
    """The log contradicts a checkpoint that a witness cosigned, or that was verified before."""
    MISSING_EVENT = "MISSING_EVENT"
    """No event stands at a position."""
    CUT_TAIL = "CUT_TAIL"
    """The feed ends before what the log has signed."""
    CUT_LOG = "CUT_LOG"
    """The log is shorter than a checkpoint that a witness cosigned, or that was verified before."""
    STALE_CHECKPOINT = "STALE_CHECKPOINT"
    """An event was recorded long ago, and no checkpoint covers it."""
    NOT_COSIGNED = "NOT_COSIGNED"
    """No checkpoint is cosigned as the policy asks."""
    NO_CHECKPOINT = "NO_CHECKPOINT"
    """No log is kept: nothing outside the database says what it held."""


COMPLETENESS = frozenset(
    {
        Kind.MISSING_EVENT,
        Kind.CUT_TAIL,
        Kind.CUT_LOG,
        Kind.STALE_CHECKPOINT,
        Kind.NOT_COSIGNED,
        Kind.NO_CHECKPOINT,
    }
)
"""What says that something is missing; all else says that something was changed."""


_ORDER = {kind: place for place, kind in enumerate(Kind)}


class Finding(NamedTuple):
    """One fault. `position` is the first that is concerned, 0 if none is; so are the others."""

    kind: Kind
    position: int
    description: str
    workflow_id: str = ""
    version: int = 0


UNSHOWN = frozenset({Kind.STALE_CHECKPOINT, Kind.NOT_COSIGNED, Kind.NO_CHECKPOINT})
"""What is no damage, but keeps completeness from being shown."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether all that was checked holds: the first findings by position, and their count.

    `damaged` is false if nothing was found, or only what could not be shown.
    """

    findings: Sequence[Finding]
    faults: int
    summary: str
    damaged: bool

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return self.faults == 0


class Findings:
    """Collects findings: the first ones by position are kept, all are counted, each once."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._known: set[tuple[Kind, int, str]] = set()
        self._counts = {True: 0, False: 0}

    def add(self, found: Iterable[Finding]) -> None:
        """Adds findings."""
        for finding in found:
            key = (finding.kind, finding.position, finding.workflow_id)
            if key in self._known:
                continue
            self._counts[finding.kind in COMPLETENESS] += 1
            if len(self._known) < 10 * MOST:
                self._known.add(key)
                self._kept.append(finding)

    def integrity(self, summary: str) -> Verdict:
        """The verdict on what is there."""
        return self._verdict(summary, missing=False)

    def completeness(self, summary: str) -> Verdict:
        """The verdict on what is missing."""
        return self._verdict(summary, missing=True)

    def _verdict(self, summary: str, *, missing: bool) -> Verdict:
        chosen = [each for each in self._kept if (each.kind in COMPLETENESS) is missing]
        first = sorted(chosen, key=lambda each: (each.position, _ORDER[each.kind]))[:MOST]
        damaged = any(each.kind not in UNSHOWN for each in chosen)
        return Verdict(first, self._counts[missing], summary, damaged)


@dataclass(frozen=True, slots=True)
class FeedReport:
    """The verdicts on the feed from a position to its end.

    `checkpoint` is the signed note that was verified; empty if there is none.
    """

    integrity: Verdict
    completeness: Verdict
    events: int
    from_position: int
    position: int
    feed: Feed
    checkpoint: str

    @property
    def holds(self) -> bool:
        """Whether both verdicts hold."""
        return self.integrity.holds and self.completeness.holds


@dataclass(frozen=True, slots=True)
class WorkflowReport:
    """The verdicts on the whole record of one workflow."""

    integrity: Verdict
    completeness: Verdict
    events: int
    position: int
    feed: Feed
