"""What the application needs of the world: an event store, and views of current workflows."""

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
    `retry` is true if the same may work soon. `lasting` is true if the whole service is concerned,
    and it does not pass by itself. `why` is for those who run the service only.
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

    What was asked may have happened; a retry with the same key is settled by the ledger.
    """


class AppendRefused(Exception):
    """The store cannot hold what it was given; trying the same again would fail again."""


class StoredDataDamaged(Exception):
    """A stored event or row cannot be read as what it claims to be."""


class SearchTooBroad(Exception):
    """Filters that are met too seldom among too many workflows to be answered in time."""


OTHER_BYTES = 256
"""Room for a listed workflow without its name and payload: id, times, counts and framing."""


class Forgotten:
    """Stands for what was recorded and later forgotten: its content no longer exists anywhere."""


FORGOTTEN = Forgotten()


@dataclass(frozen=True, slots=True)
class Feed:
    """What a position counts in: one feed of one epoch, written "number/epoch".

    An epoch begins with a new database, and with a restore or a failover that lost something.
    Positions of two epochs cannot be compared. There is one feed today, number 0.
    """

    epoch: int
    number: int = 0

    def __str__(self) -> str:
        return f"{self.number}/{self.epoch}"


NO_FEED = Feed(0)
"""Before the store was reached for the first time."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for an event and how to find the call again; never taken from a request's body.

    `actor` is who was authenticated, `acted_for` on whose behalf (empty: on its own), `method` the
    method that was called (empty: none). A rule that acts by itself is the actor `policy:NAME`.
    """

    actor: str
    request_id: str
    trace_id: str = ""
    acted_for: str = ""
    method: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """A workflow as it stands: its state, how many events it has, where the last one is.

    `position` is the feed position of that event; `digest` is the SHA-256 of its stored bytes.
    `rebuilt` is true if it was folded from events: its row was missing or of another shape.
    The state is FORGOTTEN if the content of any of its events was forgotten.
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
"""Makes a command happen once: a digest of 32 bytes of whose key it is, for what, and the key."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What a command with a key was, and how it was answered; `position` is 0 until appended.

    `request_digest` tells one request from another without holding any of its content.
    """

    workflow_id: str
    request_digest: bytes
    version: int
    threshold_reached: bool
    position: int = 0


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A decided event that is not stored yet, and why it came about.

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
    """Why a stored event came about; see Origin and NewEvent."""

    origin: Origin
    idempotency_key: str
    policy: str
    preceding_version: int


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """A stored event at its place in its workflow and in the feed.

    `recorded_at` is when the server that recorded it did so, by its own clock, in UTC. `digest` is
    the SHA-256 of the stored bytes, which hold `previous`, the digest of the workflow's event
    before (empty for the first). Event and metadata are forgotten together, or neither is.
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
    """All that one batch does to one workflow: recorded whole, or not at all.

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
    """The streams and ledger entries that were found; what is missing does not exist."""

    streams: Mapping[str, Stream]
    ledger: Mapping[LedgerKey, LedgerEntry]


class EventStore(Protocol):
    """Where the truth is."""

    @property
    def current_feed(self) -> Feed:
        """What the positions of the last load or append count in."""
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
        gapless and in commit order. What is returned is durable.

        Raises StoreUnavailable (nothing recorded), OutcomeUnknown, or AppendRefused. Any other
        exception is raised before anything is recorded.
        """
        ...


@dataclass(frozen=True, slots=True)
class View:
    """A workflow as readers see it, `version` events into its stream."""

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
    """Current workflows. What a committed append did is visible to every later call.

    Each method raises StoreUnavailable.
    """

    def get(self, ids: Collection[str]) -> Mapping[str, View | Unread]:
        """The workflows of these ids by id, deleted ones too; missing ids are absent.

        Workflows that are too large to be read together are UNREAD; one that is asked for alone
        is always read.
        """
        ...

    def page(
        self, user_id: str, filters: Filters, before: int | None, limit: int, room: int
    ) -> Slice:
        """A user's workflows that meet the filters, newest first, created before a position.

        At most `limit` of them, and no more than fit into `room` bytes; the first one fits
        whatever its size. A workflow takes its name, its payload and OTHER_BYTES. Raises
        SearchTooBroad if they cannot be found within a reasonable number of rows or time.
        """
        ...
