"""The state of a workflow at any version, by the domain's own `evolve`."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from application.folds import evolved
from application.ports import Forgotten, Record, RecordedEvent, Version
from domain.workflow import Workflow

State = Workflow | Forgotten | None
"""A state: None before the creation, FORGOTTEN if the content of an event was erased."""


def states(record: Record, versions: Sequence[Version]) -> Iterator[State]:
    """The state of each version, in order: the fold of a few events, however many there are.

    Raises StoredDataDamaged.
    """
    landmarks = record.landmarks({version for version in versions if version.version})
    wanted = [each for version in versions for each in landmarks.get(version, ())]
    events = record.events(wanted)
    for version in versions:
        yield _fold(islice(events, len(landmarks.get(version, ()))))


def state_at(record: Record, version: Version) -> State:
    """The state of one version. Raises StoredDataDamaged."""
    [state] = states(record, [version])
    return state


def _fold(events: Iterable[RecordedEvent]) -> State:
    state: State = None
    for recorded in events:
        state = evolved(state, recorded.event)
    return state
