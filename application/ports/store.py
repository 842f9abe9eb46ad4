"""The event store: the source of truth, and what goes into it and comes out of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NewType, Protocol

from application.ports.events import Feed, Forgotten, NewEvent
from domain.errors import WorkflowNotFound
from domain.values import value
from domain.workflow import Workflow


@value()
class Stream:
    """The current state of a workflow, the count of its events, and the position of the last one.

    `position` is the feed position of that event; `digest` is the SHA-256 of its stored bytes.
    `rebuilt` is true if it was folded from events: its row was missing or of another shape.
    The state is FORGOTTEN if the content of any of its events was erased.
    """

    workflow: Workflow | Forgotten
    version: int
    position: int
    digest: bytes
    rebuilt: bool = False

    def state(self, workflow_id: str) -> Workflow:
        """The state. Raises WorkflowNotFound if it was forgotten."""
        if isinstance(self.workflow, Forgotten):
            raise WorkflowNotFound(workflow_id)
        return self.workflow


LedgerKey = NewType("LedgerKey", bytes)
"""A ledger key, which makes a command happen once: a digest of owner, purpose and key."""


@value()
class LedgerEntry:
    """The request and the answer of a command with a key; `position` is 0 until it is appended.

    `request_digest` differs if the request differs, and holds none of its content.
    """

    workflow_id: str
    request_digest: bytes
    version: int
    threshold_reached: bool
    position: int = 0


@dataclass(slots=True)
class Change:
    """All changes of one batch to one workflow: all are recorded, or none.

    `base` is the stream that it was decided on, None for a new workflow; `workflow` is the state
    after its events. A change may consist of ledger entries alone.
    """

    workflow_id: str
    base: Stream | None
    workflow: Workflow
    events: list[NewEvent] = field(default_factory=list)
    ledger: dict[LedgerKey, LedgerEntry] = field(default_factory=dict)

    @property
    def base_version(self) -> int:
        """The stream version that this change was decided on; 0 for a new workflow."""
        return self.base.version if self.base else 0

    @property
    def version(self) -> int:
        """The stream version after this change."""
        return (self.base.version if self.base else 0) + len(self.events)

    def position(self, version: int, end: int) -> int:
        """The feed position at which the stream has this version, if the change ends at `end`.

        `version` lies between `base_version` and the version after the change. The events of a
        change stand one after the other, so this is the one place that counts positions. The
        version that the change was decided on keeps the position that it has.
        """
        if self.base and version == self.base.version:
            return self.base.position
        return end - (self.version - version)


@value()
class Loaded:
    """The streams and ledger entries that were found; the others do not exist."""

    streams: Mapping[str, Stream]
    ledger: Mapping[LedgerKey, LedgerEntry]


class EventStore(Protocol):
    """The event store: the source of truth."""

    @property
    def current_feed(self) -> Feed:
        """The feed to which the positions of the last load or append belong."""
        ...

    def load(self, ids: Collection[str], keys: Collection[LedgerKey]) -> Loaded:
        """The current streams and ledger entries, in at most one round trip.

        Raises StoreUnavailable, or StoredDataDamaged for a stream that cannot be read.
        """
        ...

    def append(self, changes: Sequence[Change]) -> Mapping[str, int]:
        """Records changes in one transaction: events, current states and ledger entries.

        Returns the feed position at which each workflow's change ends; the events of one
        change stand one after the other. A change is left out if
        its stream has moved on or one of its keys is taken: decide it again. Positions are
        gapless and in commit order. When this returns, the changes are durable.

        Raises StoreUnavailable (nothing recorded), OutcomeUnknown, AppendRefused, or
        UserBeingErased if any change is of a user who is being erased (nothing recorded). Any other
        exception is raised before anything is recorded.
        """
        ...
