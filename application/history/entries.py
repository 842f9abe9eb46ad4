"""Entries of a history: recorded events with what each changed, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from application.folds import evolved
from application.history.states import State, states
from application.ports import (
    FORGOTTEN,
    UNKNOWN_ERASURE,
    ErasureMark,
    EventMetadata,
    Forgotten,
    Record,
    RecordedEvent,
    Version,
)
from application.queries import MAX_PAGE_BYTES
from domain.diffs import FieldChange, changes
from domain.reasons import reason


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with every field that it changed, and the sentence that says why.

    `preceding_position` is the position of the event from which a rule followed; 0 if there is
    none. If the content was erased, there is neither change nor reason, but `erasure`.
    """

    event: RecordedEvent
    changes: Sequence[FieldChange] = ()
    reason: str = ""
    preceding_position: int = 0
    erasure: ErasureMark | None = None

    @property
    def size(self) -> int:
        """About how many bytes it takes in an answer."""
        texts = (value for each in self.changes for value in (each.before, each.after))
        return _OTHER_BYTES + sum(len(text.encode()) for text in texts if isinstance(text, str))


_OTHER_BYTES = 1024  # cause, digest, names of fields, framing


def entries(record: Record, events: Sequence[RecordedEvent]) -> list[Entry]:
    """The entries of events, in their order; they may belong to several workflows.

    Raises StoredDataDamaged.
    """
    ordered = sorted(events, key=_version)
    # The state before an event is known if the event before it is in this batch too.
    follows = [False, *(_follow(before, event) for before, event in pairwise(ordered))]
    firsts = [event for event, known in zip(ordered, follows, strict=True) if not known]
    before_firsts = states(record, [_before(event) for event in firsts])
    positions = _preceding(record, ordered)
    made: dict[int, Entry] = {}
    state: State = None
    for event, known in zip(ordered, follows, strict=True):
        before = state if known else next(before_firsts)
        state = evolved(before, event.event)
        made[event.position] = entry(event, before, state, positions.get(_cause(event), 0))
    return _marked(record, [made[event.position] for event in events])


def entry(event: RecordedEvent, before: State, after: State, preceding_position: int) -> Entry:
    """The entry of one event between two states."""
    fact = event.event
    if isinstance(fact, Forgotten) or isinstance(before, Forgotten) or isinstance(after, Forgotten):
        # If an erasure is under way, what is left of the content must not be shown either.
        forgotten = replace(event, event=FORGOTTEN, metadata=FORGOTTEN)
        return Entry(forgotten, erasure=UNKNOWN_ERASURE)
    return Entry(event, changes(before, after), reason(before, fact), preceding_position)


def fitting(made: Sequence[Entry]) -> Sequence[Entry]:
    """The first entries that fit into one answer; the first one always does."""
    room = MAX_PAGE_BYTES
    for count, each in enumerate(made):
        room -= each.size
        if count and room < 0:
            return made[:count]
    return made


def erasure_of(record: Record, workflow_id: str) -> ErasureMark:
    """The erasure of a workflow whose content was erased."""
    return record.erasures([workflow_id]).get(workflow_id, UNKNOWN_ERASURE)


def _marked(record: Record, made: list[Entry]) -> list[Entry]:
    """The entries; those whose content was erased name the erasure."""
    erased = {each.event.workflow_id for each in made if each.erasure}
    if not erased:
        return made
    marks = record.erasures(erased)
    return [
        replace(each, erasure=marks.get(each.event.workflow_id, UNKNOWN_ERASURE))
        if each.erasure
        else each
        for each in made
    ]


def _version(event: RecordedEvent) -> Version:
    return Version(event.workflow_id, event.version)


def _before(event: RecordedEvent) -> Version:
    return Version(event.workflow_id, event.version - 1)


def _follow(before: RecordedEvent, event: RecordedEvent) -> bool:
    return _version(before) == _before(event)


def _cause(event: RecordedEvent) -> Version | None:
    """The event from which a rule followed; None if a command caused this one."""
    metadata = event.metadata
    if not isinstance(metadata, EventMetadata) or not metadata.preceding_version:
        return None
    return Version(event.workflow_id, metadata.preceding_version)


def _preceding(record: Record, events: Sequence[RecordedEvent]) -> dict[Version | None, int]:
    """The positions of the events from which rules followed."""
    positions: dict[Version | None, int] = {_version(event): event.position for event in events}
    missing = sorted({cause for cause in map(_cause, events) if cause} - positions.keys())
    for event in record.events(missing):
        positions[_version(event)] = event.position
    return positions
