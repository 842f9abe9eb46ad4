"""The record of one workflow, event by event: what is wrong with it, and where first."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from application.folds import evolved
from application.leaves import Leaf
from application.ports import (
    ContentAltered,
    Forgotten,
    RecordedEvent,
    StoredDataDamaged,
    StoredEvent,
)
from application.verification.findings import Finding, Kind
from domain.workflow import Workflow

Decode = Callable[[StoredEvent], RecordedEvent]
"""Reads stored bytes. Raises StoredDataDamaged, or ContentAltered."""

Signed = Callable[[int], Leaf | None]
"""The leaf that was signed for a position; None if no checkpoint covers it."""


@dataclass(frozen=True, slots=True)
class Examined:
    """How many events a workflow has, in how many places its chain breaks, what was found."""

    events: int
    breaks: int
    findings: Sequence[Finding]


def examine(events: Iterable[StoredEvent], decode: Decode, signed: Signed) -> Examined:
    """Examines all events of a workflow, oldest first."""
    examination = _Examination(decode, signed)
    findings = [finding for event in events for finding in examination.take(event)]
    return Examined(
        examination.count,
        examination.breaks,
        rewritten_chains(findings, breaks=examination.breaks),
    )


class _Examination:
    def __init__(self, decode: Decode, signed: Signed) -> None:
        self._decode = decode
        self._signed = signed
        self._version = 0
        self._digest = b""
        self._state: Workflow | Forgotten | None = None
        self._folds = True
        self.count = 0
        self._position = 0
        self.breaks = 0

    def take(self, event: StoredEvent) -> Iterator[Finding]:
        """What is wrong with the next event."""
        leaf = Leaf.of(event.position, event.workflow_id, event.version, event.name, event.state)
        yield from self._against_log(event, leaf)
        yield from self._against_chain(event)
        self.count += 1
        self._position = max(self._position, event.position)
        self._version, self._digest = event.version, bytes.fromhex(leaf.digest)

    def _against_log(self, event: StoredEvent, leaf: Leaf) -> Iterator[Finding]:
        signed = self._signed(event.position)
        if signed is None or signed == leaf:
            return
        if signed.identity != leaf.identity:
            yield _at(Kind.REPLACED_EVENT, event, "another event was signed for this position")
        elif signed.name != leaf.name:
            yield _at(Kind.CHANGED_NAME, event, f"it was signed as {signed.name}")
        else:
            yield _at(Kind.CHANGED_BYTES, event, "its stored bytes are not those that were signed")

    def _against_chain(self, event: StoredEvent) -> Iterator[Finding]:
        try:
            recorded = self._decode(event)
        except ContentAltered as altered:
            self._folds = False
            yield _at(Kind.CHANGED_CONTENT, event, str(altered))
            recorded = self._decode(event._replace(salt=None, content=None))
        except StoredDataDamaged as unreadable:
            self._folds = False
            self.breaks += 1
            yield _at(Kind.UNREADABLE_EVENT, event, str(unreadable))
            return
        if event.version != self._version + 1:
            self.breaks += 1
            self._folds = False
            yield _at(
                Kind.BROKEN_CHAIN, event, f"it follows event {self._version}: some are missing"
            )
        elif event.position <= self._position or recorded.previous != self._digest:
            self.breaks += 1
            yield self._broken(event)
        if self._folds:
            yield from self._fold(event, recorded)

    def _broken(self, event: StoredEvent) -> Finding:
        """The first event that may have been changed is the one before."""
        first = self._position if self._version and event.position > self._position else 0
        return Finding(
            Kind.BROKEN_CHAIN,
            first or event.position,
            f"event {event.version} does not name the digest of event {self._version}:"
            " one of the two was changed",
            event.workflow_id,
            self._version if first else event.version,
        )

    def _fold(self, event: StoredEvent, recorded: RecordedEvent) -> Iterator[Finding]:
        try:
            self._state = evolved(self._state, recorded.event)
        except StoredDataDamaged as impossible:
            self._folds = False
            yield _at(Kind.IMPOSSIBLE_EVENT, event, str(impossible))


def rewritten_chains(findings: Sequence[Finding], *, breaks: int) -> Sequence[Finding]:
    """The findings of one workflow; if its chain holds, several changed events are one rewriting.

    If events changed and the log tells which, a break in the chain tells nothing more.
    """
    changed = [finding for finding in findings if finding.kind is Kind.CHANGED_BYTES]
    if not changed:
        return findings
    if breaks or len(changed) == 1:
        return [finding for finding in findings if finding.kind is not Kind.BROKEN_CHAIN]
    first = changed[0]
    rewritten = first._replace(
        kind=Kind.REWRITTEN_CHAIN,
        description=f"{len(changed)} events from this one on were changed, and chained anew",
    )
    return [rewritten, *(each for each in findings if each.kind is not Kind.CHANGED_BYTES)]


def _at(kind: Kind, event: StoredEvent, description: str) -> Finding:
    return Finding(kind, event.position, description, event.workflow_id, event.version)
