"""An EventStore in memory, and one with troubles: other writers are faster, or it fails."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from application.ports import (
    FORGOTTEN,
    NO_FEED,
    Change,
    EventStore,
    Feed,
    LedgerEntry,
    LedgerKey,
    Loaded,
    NewEvent,
    Stream,
)
from domain.events import WorkflowEvent
from domain.workflow import replay


class MemoryEventStore:
    """A test double that fulfils the contract of the port; the contract tests check it."""

    def __init__(self) -> None:
        self.feed: list[tuple[str, NewEvent]] = []
        self.ledger: dict[LedgerKey, LedgerEntry] = {}
        self.current_feed = NO_FEED
        self._streams: dict[str, Stream] = {}

    def load(self, ids: Collection[str], keys: Collection[LedgerKey]) -> Loaded:
        """See EventStore.load."""
        return Loaded(
            {i: self._streams[i] for i in ids if i in self._streams},
            {key: self.ledger[key] for key in keys if key in self.ledger},
        )

    def append(self, changes: Sequence[Change]) -> Mapping[str, int]:
        """See EventStore.append."""
        standing = [change for change in changes if self._stands(change)]
        return {change.workflow_id: self._record(change) for change in standing}

    def history(self, workflow_id: str) -> list[WorkflowEvent]:
        """A workflow's events, oldest first."""
        return [recorded.event for owner, recorded in self.feed if owner == workflow_id]

    def positions(self, workflow_id: str) -> list[int]:
        """The feed positions of a workflow's events."""
        return [at for at, (owner, _) in enumerate(self.feed, 1) if owner == workflow_id]

    def forget(self, workflow_id: str, version: int) -> None:
        """Forgets the content of an event, and so the state of its workflow."""
        stream = self._streams[workflow_id]
        self._streams[workflow_id] = replace(stream, workflow=FORGOTTEN)

    def _stands(self, change: Change) -> bool:
        stream = self._streams.get(change.workflow_id)
        moved = (stream.version if stream else 0) != (change.base.version if change.base else 0)
        return not moved and not any(key in self.ledger for key in change.ledger)

    def _record(self, change: Change) -> int:
        digest = change.base.digest if change.base else b""
        for recorded in change.events:
            digest = sha256(digest + repr(recorded).encode()).digest()
            self.feed.append((change.workflow_id, recorded))
        if change.events:
            # Replayed, not taken from the change: so a change with a wrong state is noticed.
            workflow = replay(self.history(change.workflow_id))
            assert workflow is not None
            stream = Stream(workflow, change.version, len(self.feed), digest)
            self._streams[change.workflow_id] = stream
        end = self._streams[change.workflow_id].position
        for key, entry in change.ledger.items():
            self.ledger[key] = replace(entry, position=change.position(entry.version, end))
        return end


@dataclass
class Troubled:
    """A store with troubles: it counts its calls, and causes faults.

    `before_append` and `before_load` hold what happens before each call, in order, once each: an
    exception is raised, a callable is called (another writer is faster), None does nothing. A
    workflow in `poison` fails every append that it is part of, one in `damaged` every load, with
    the exception given.
    """

    store: EventStore
    before_append: list[Exception | Callable[[], object] | None] = field(default_factory=list)
    before_load: list[Exception | Callable[[], object] | None] = field(default_factory=list)
    poison: dict[str, Exception] = field(default_factory=dict)
    damaged: dict[str, Exception] = field(default_factory=dict)
    loads: list[set[str]] = field(default_factory=list)
    appends: list[list[str]] = field(default_factory=list)

    @property
    def current_feed(self) -> Feed:
        """See EventStore.current_feed."""
        return self.store.current_feed

    def load(self, ids: Collection[str], keys: Collection[LedgerKey]) -> Loaded:
        """See EventStore.load."""
        self.loads.append(set(ids))
        _happen(self.before_load)
        _fail(self.damaged, ids)
        return self.store.load(ids, keys)

    def append(self, changes: Sequence[Change]) -> Mapping[str, int]:
        """See EventStore.append."""
        ids = [change.workflow_id for change in changes]
        self.appends.append(ids)
        _happen(self.before_append)
        _fail(self.poison, ids)
        return self.store.append(changes)


def _fail(faults: Mapping[str, Exception], ids: Collection[str]) -> None:
    for workflow_id in ids:
        if fault := faults.get(workflow_id):
            raise fault


def _happen(planned: list[Exception | Callable[[], object] | None]) -> None:
    event = planned.pop(0) if planned else None
    if isinstance(event, Exception):
        raise event
    if event:
        event()
