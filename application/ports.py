"""The ports of the application: an event store, and views of current workflows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, NewType, Protocol

from domain.errors import WorkflowNotFound
from domain.events import WorkflowEvent
from domain.filters import Filters
from domain.workflow import Workflow


class StoreUnavailable(Exception):
    """The store cannot serve now; nothing was recorded.

    The text is a sentence for callers, without its full stop. `reason` is a word for machines;
    `retry` is true if the same may work soon. `lasting` is true if the whole service is affected
    and an operator must act. `why` is for operators only; clients never see it.
    """

    def __init__(
        self,
        sentence: str = "The database cannot be reached",
        *,
        reason: str = "STORE_UNAVAILABLE",
        retry: bool = True,
        lasting: bool = False,
        why: str = "",
    ) -> None:
        self.reason = reason
        self.retry = retry
        self.lasting = lasting
        self.why = why or sentence
        super().__init__(sentence)


class OutcomeUnknown(Exception):
    """The store was lost while it appended and did not come back in time to be asked.

    The commands may have been recorded. A retry with the same key is safe: the ledger answers it.
    """


class AppendRefused(Exception):
    """The store cannot hold the value; the same append would fail again."""


class StoredDataDamaged(Exception):
    """A stored event or row cannot be read as what it claims to be."""


class SearchTooBroad(Exception):
    """The filters match so few of so many workflows that the page cannot be found in time."""


OTHER_BYTES = 256
"""Room for a listed workflow without its name and payload: id, times, counts and framing."""


class Forgotten:
    """Stands for content that was recorded and later erased: it exists nowhere any more."""


FORGOTTEN = Forgotten()


@dataclass(frozen=True, slots=True)
class Feed:
    """The feed to which a position belongs: one feed of one epoch, written "number/epoch".

    An epoch begins with a new database, and with a restore or a failover that lost events.
    Positions of two epochs cannot be compared. There is one feed today, number 0.
    """

    epoch: int
    number: int = 0

    def __str__(self) -> str:
        return f"{self.number}/{self.epoch}"


NO_FEED = Feed(0)
"""The feed before the first connection to the store."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who caused an event, and how to find the call in logs; never taken from a request's body.

    `actor` is the authenticated caller. `acted_for` is the user on whose behalf it acted; empty if
    it acted for itself. `method` is the method that was called; empty if there was none. The actor
    of a rule is `policy:NAME`.
    """

    actor: str
    request_id: str
    trace_id: str = ""
    acted_for: str = ""
    method: str = ""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """The request and the answer of a command with a key; `position` is 0 until it is appended.

    `request_digest` differs if the request differs, and holds none of its content.
    """

    workflow_id: str
    request_digest: bytes
    version: int
    threshold_reached: bool
    position: int = 0


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A decided event that is not stored yet, and its cause.

    `policy` names the rule that caused it, empty if a command did; then `preceding_version` is
    the version of the event that the rule followed from, 0 if there is none.
    """

    event: WorkflowEvent
    origin: Origin
    idempotency_key: str
    policy: str = ""
    preceding_version: int = 0


@dataclass(frozen=True, slots=True)
class EventMetadata:
    """The cause of a stored event; see Origin and NewEvent."""

    origin: Origin
    idempotency_key: str
    policy: str
    preceding_version: int


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """A stored event at its place in its workflow and in the feed.

    `recorded_at` is when the server that recorded it did so, by its own clock, in UTC. `digest` is
    the SHA-256 of the stored bytes, which hold `previous`, the digest of the workflow's event
    before (empty for the first). Event and metadata are erased together, or neither is.
    """

    workflow_id: str
    version: int
    position: int
    event: WorkflowEvent | Forgotten
    metadata: EventMetadata | Forgotten
    recorded_at: datetime
    previous: bytes
    digest: bytes


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
        return self.base_version + len(self.events)

    def position(self, version: int, end: int) -> int:
        """The feed position at which the stream has this version, if the change ends at `end`.

        `version` lies between `base_version` and the version after the change. The events of a
        change stand one after the other, so this is the one place that counts positions. The
        version that the change was decided on keeps the position that it has.
        """
        if self.base and version == self.base.version:
            return self.base.position
        return end - (self.version - version)


@dataclass(frozen=True, slots=True)
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

        Raises StoreUnavailable (nothing recorded), OutcomeUnknown, or AppendRefused. Any other
        exception is raised before anything is recorded.
        """
        ...


@dataclass(frozen=True, slots=True)
class View:
    """A workflow as readers see it, after the first `version` events of its stream."""

    id: str
    workflow: Workflow
    version: int


class Unread:
    """Stands for a workflow that is too large to be read together with others."""


UNREAD = Unread()


class ListedWorkflow(NamedTuple):
    """A workflow as a list shows it; its fields mean what they mean in Workflow.

    `created_position` is the feed position of its creation: newest first is highest first.
    """

    id: str
    name: str
    payload: str
    kind: str
    build_status: str
    interval: int
    failures: int
    max_failures: int
    log_retention: bool
    created_at: datetime
    updated_at: datetime
    terminated_at: datetime | None
    created_position: int


class Slice(NamedTuple):
    """Part of a list, newest workflow first, and whether others follow it."""

    workflows: Sequence[ListedWorkflow]
    more: bool


class WorkflowViews(Protocol):
    """Views of current workflows. Every later call sees what a committed append changed.

    Each method raises StoreUnavailable.
    """

    def get(self, ids: Collection[str]) -> Mapping[str, View | Unread]:
        """The workflows of these ids by id, deleted ones too; missing ids are absent.

        A workflow that is too large to be read with others is UNREAD; if one id is asked for alone,
        it is always read.
        """
        ...

    def page(
        self, user_id: str, filters: Filters, before: int | None, limit: int, room: int
    ) -> Slice:
        """A user's workflows that meet the filters, newest first, created before a position.

        At most `limit` of them, and no more than fit into `room` bytes; the first one is always
        included, whatever its size. A workflow takes its name, its payload and OTHER_BYTES. Raises
        SearchTooBroad if they cannot be found within a reasonable number of rows or time.
        """
        ...
