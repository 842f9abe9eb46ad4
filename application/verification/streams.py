"""The record of one workflow, event by event: what is wrong with it, and where first."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from application.folds import evolved
from application.ports import (
    ContentAltered,
    Forgotten,
    RecordedEvent,
    StoredDataDamaged,
    StoredEvent,
)
from application.verification.findings import Finding, Kind
from application.verification.testimony import Testimony
from domain.workflow import Workflow

Decode = Callable[[StoredEvent], RecordedEvent]
"""Reads stored bytes. Raises StoredDataDamaged, or ContentAltered."""
Digest = Callable[[bytes], bytes]
"""The digest of an event's stored bytes."""


@dataclass(frozen=True, slots=True)
class Examined:
    """How many events a workflow has, in how many places its chain breaks, what was found."""

    events: int
    breaks: int
    findings: Sequence[Finding]


def examine(
    events: Iterable[StoredEvent], decode: Decode, digest: Digest, testimony: Testimony
) -> Examined:
    """Examines all events of a workflow, oldest first.

    What `testimony` knows of is not found again, nor what follows from it: where an event is known
    to be missing or changed, its successor must name the digest that was signed.
    """
    examination = _Examination(decode, digest, testimony)
    findings = [finding for event in events for finding in examination.take(event)]
    return Examined(examination.count, examination.breaks, findings)


class _Examination:
    def __init__(self, decode: Decode, digest: Digest, testimony: Testimony) -> None:
        self._decode = decode
        self._digest_of = digest
        self._testimony = testimony
        self._workflow_id = ""
        self._version = 0
        self._digest = b""
        self._position = 0
        self._state: Workflow | Forgotten | None = None
        self._folds = True
        self.count = 0
        self.breaks = 0

    def take(self, event: StoredEvent) -> Iterator[Finding]:
        """What is wrong with the next event."""
        self.count += 1
        self._workflow_id = event.workflow_id
        signed = self._testimony.signed_as((event.workflow_id, event.version))
        if signed is None or signed[0] != event.workflow_id:
            self._folds = False  # It is none of this workflow's, and was named.
            return
        event = event._replace(version=signed[1])
        recorded = yield from self._read(event)
        if recorded is not None:
            yield from self._linked(event, recorded)
            if self._folds:
                yield from self._fold(event, recorded)
        self._position = max(self._position, event.position)
        self._version, self._digest = event.version, self._digest_of(event.state)

    def _read(self, event: StoredEvent) -> Generator[Finding, None, RecordedEvent | None]:
        """The event; None if its bytes cannot be read."""
        try:
            return self._decode(event)
        except ContentAltered as altered:
            self._folds = False
            if self._signed(event.version) is None:
                yield _at(Kind.CHANGED_CONTENT, event, str(altered))
            return self._decode(event._replace(salt=None, content=None))
        except StoredDataDamaged as unreadable:
            self._folds = False
            self.breaks += 1
            if self._signed(event.version) is None:
                yield _at(Kind.UNREADABLE_EVENT, event, str(unreadable))
            return None

    def _linked(self, event: StoredEvent, recorded: RecordedEvent) -> Iterator[Finding]:
        """Whether an event follows the one before it."""
        before = event.version - 1
        if before != self._version:
            self._folds = False
            self.breaks += 1
            if not self._is_known_to_lack(range(self._version + 1, event.version), event.position):
                yield _at(
                    Kind.REMOVED_EVENT,
                    event,
                    f"it follows event {self._version}: those between the two are missing",
                )
                return
            if not self._signed(before):
                return  # Nothing tells which digest it must name.
        elif not self._testimony.touches(event.workflow_id) and event.position <= self._position:
            self.breaks += 1
            yield _at(Kind.BROKEN_CHAIN, event, "it stands before the event that it follows")
            return
        signed = self._signed(before)
        if signed == b"" or recorded.previous in (signed, self._digest if before else b""):
            return
        self.breaks += 1
        self._folds = False
        if self._signed(event.version) is None:  # Otherwise its own bytes were changed.
            yield self._broken(event)

    def _is_known_to_lack(self, versions: range, position: int) -> bool:
        """Whether it was named already that the events before one at a position are missing."""
        if all(self._signed(version) is not None for version in versions):
            return True
        return self._testimony.holes(self._position, position) >= len(versions)

    def _signed(self, version: int) -> bytes | None:
        """The digest that was signed for an event of this workflow that differs."""
        return self._testimony.digest((self._workflow_id, version))

    def _broken(self, event: StoredEvent) -> Finding:
        """The first event that may have been changed is the one before."""
        named = event._replace(version=event.version - 1, position=self._position)
        return _at(
            Kind.BROKEN_CHAIN,
            named if self._position else event,
            f"event {event.version} does not name the digest of event {event.version - 1}:"
            " one of the two was changed",
        )

    def _fold(self, event: StoredEvent, recorded: RecordedEvent) -> Iterator[Finding]:
        try:
            self._state = evolved(self._state, recorded.event)
        except StoredDataDamaged as impossible:
            self._folds = False
            yield _at(Kind.IMPOSSIBLE_EVENT, event, str(impossible))


def rewritten(first: Finding, count: int) -> Finding:
    """The finding that events of a workflow from this one on were changed, and chained anew."""
    return first._replace(
        kind=Kind.REWRITTEN_CHAIN,
        description=f"{count} events from this one on were changed, and chained anew",
    )


def _at(kind: Kind, event: StoredEvent, description: str) -> Finding:
    return Finding(kind, event.position, description, event.workflow_id, event.version)
