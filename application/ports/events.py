"""Events: as they are decided, as they are stored, and the feed in which they stand."""

from dataclasses import field
from datetime import datetime

from domain.events import WorkflowEvent
from domain.values import value


class Forgotten:
    """Stands for content that was recorded and later erased: it exists nowhere any more."""


FORGOTTEN = Forgotten()


@value()
class Feed:
    """The feed to which a position belongs: one feed of one epoch, written "number/epoch".

    An epoch begins with a new database, and with a restore or a failover that lost events.
    Positions of two epochs cannot be compared. There is one feed today, number 0.
    """

    epoch: int
    number: int = 0
    text: str = field(init=False, repr=False, compare=False)
    """The feed as it is written."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", f"{self.number}/{self.epoch}")

    def __str__(self) -> str:
        return self.text


NO_FEED = Feed(0)
"""The feed before the first connection to the store."""


@value()
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


@value()
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


@value()
class EventMetadata:
    """The cause of a stored event; see Origin and NewEvent."""

    origin: Origin
    idempotency_key: str
    policy: str
    preceding_version: int


@value()
class RecordedEvent:
    """A stored event at its place in its workflow and in the feed.

    `name` is its stored name; it stays if the content is erased. `recorded_at` is when the server
    that recorded it did so, by its own clock, in UTC. `digest` is the SHA-256 of the stored bytes,
    which hold `previous`, the digest of the workflow's event before (empty for the first). Event
    and metadata are erased together, or neither is.
    """

    workflow_id: str
    version: int
    position: int
    name: str
    event: WorkflowEvent | Forgotten
    metadata: EventMetadata | Forgotten
    recorded_at: datetime
    previous: bytes
    digest: bytes

    @property
    def type(self) -> str:
        """The type of the event: its stored name without the version of its shape."""
        return self.name.partition(".")[0]
