"""What a command would record. Nothing is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.draft import Draft, Submission
from application.folds import evolved
from application.history.entries import Entry, entry
from application.history.states import State, state_at
from application.ledger import LedgerDigests
from application.ports import (
    EventMetadata,
    Loaded,
    NewEvent,
    Place,
    Record,
    RecordedEvent,
    Stream,
    Version,
)
from domain.errors import WorkflowError
from domain.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The events that a command would record and the state after them, or how it is refused.

    `workflow` is None if it is refused.
    """

    workflow_id: str
    events: Sequence[Entry]
    workflow: Workflow | None
    refusal: WorkflowError | None
    place: Place


def what_if(
    record: Record, submission: Submission, version: int, place: Place, digests: LedgerDigests
) -> Hypothesis:
    """What would follow from a command on its workflow at a version; `place` is that moment.

    A command with a key that was used before this moment is answered by the ledger, as it would
    have been: it records nothing. Raises StoredDataDamaged.
    """
    command = submission.command
    before = state_at(record, Version(command.id, version))
    draft = Draft(_loaded(record, submission, version, before, place, digests), digests)
    draft.decide(0, submission, digests.key(command))
    outcome = draft.outcomes({change.workflow_id: 0 for change in draft.changes}, place.feed)[0]
    if isinstance(outcome, WorkflowError):
        return Hypothesis(command.id, (), None, outcome, place)
    if isinstance(outcome, Exception):
        raise outcome
    if outcome.replayed:
        state = state_at(record, Version(outcome.workflow_id, outcome.version))
        return Hypothesis(outcome.workflow_id, (), _known(state), None, place)
    events: list[Entry] = []
    state = before
    for change in draft.changes:
        for number, new in enumerate(change.events, version + 1):
            after = evolved(state, new.event)
            events.append(entry(_imagined(submission, number, new), state, after, 0))
            state = after
    return Hypothesis(outcome.workflow_id, events, _known(state), None, place)


def _known(state: State) -> Workflow | None:
    return state if isinstance(state, Workflow) else None


def _loaded(
    record: Record,
    submission: Submission,
    version: int,
    state: State,
    place: Place,
    digests: LedgerDigests,
) -> Loaded:
    """What a store would have loaded for this command at that moment."""
    command = submission.command
    streams = {}
    if state is not None:
        streams[command.id] = Stream(state, version, place.position, b"")
    key = digests.key(command)
    entries = record.ledger([key]) if key else {}
    known = {key: entry for key, entry in entries.items() if entry.position <= place.position}
    return Loaded(streams, known)


def _imagined(submission: Submission, version: int, new: NewEvent) -> RecordedEvent:
    """The event as it would be recorded; it has no position and no digest."""
    command = submission.command
    metadata = EventMetadata(new.origin, new.idempotency_key, new.policy, new.preceding_version)
    return RecordedEvent(
        command.id, version, 0, new.event.stored_name, new.event, metadata, command.now, b"", b""
    )
