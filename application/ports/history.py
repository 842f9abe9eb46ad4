"""The record as histories read it: events and candidates of lists, at one moment of the store."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from application.ports.events import Feed, RecordedEvent
from application.ports.store import LedgerEntry, LedgerKey
from application.ports.views import ListedWorkflow

T = TypeVar("T")


class Place(NamedTuple):
    """Where in the record an answer was true: the last position that it took into account."""

    position: int
    feed: Feed


class Version(NamedTuple):
    """A workflow after so many of its events."""

    workflow_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Span:
    """Versions of one workflow: those above `above` and below `below`, in this order.

    `types` are the types of the events that are wanted; empty means all.
    """

    above: int
    below: int
    newest_first: bool
    types: frozenset[str] = frozenset()


class Candidate(NamedTuple):
    """A workflow that a list at a position may show.

    If it has not `changed` since, `row` is what the list shows, None if it was deleted. Otherwise
    its state must be folded from its events.
    """

    workflow_id: str
    created_position: int
    changed: bool
    row: ListedWorkflow | None


class ErasureMark(NamedTuple):
    """Which erasure took the content of a workflow away, and when that was complete.

    `erased_at` is None while it is under way, or if it is not known.
    """

    receipt_id: str
    erased_at: datetime | None


UNKNOWN_ERASURE = ErasureMark("", None)
"""Stands for an erasure that left no receipt here."""


class Record(Protocol):
    """The whole record at one moment: all answers agree with each other. For one question.

    Each method raises StoreUnavailable, or StoredDataDamaged if an event cannot be read.
    """

    @property
    def place(self) -> Place:
        """Where the feed ends."""
        ...

    def last_version(self, workflow_id: str) -> int:
        """How many events a workflow has; 0 if it does not exist."""
        ...

    def page(
        self, workflow_id: str, span: Span, limit: int, room: int
    ) -> tuple[Sequence[RecordedEvent], bool]:
        """The first events of a span, and whether others follow them.

        At most `limit` of them, and no more than fit into `room` bytes; the first one is always
        included, whatever its size.
        """
        ...

    def landmarks(self, versions: Collection[Version]) -> Mapping[Version, Sequence[Version]]:
        """The events that lead to each version: of each type the last one, oldest first.

        Folding them gives the state, because every event carries values and no differences.
        """
        ...

    def events(self, versions: Sequence[Version]) -> Iterator[RecordedEvent]:
        """The events that led to these versions, in this order; few are in memory at a time.

        Raises StoredDataDamaged if one is missing.
        """
        ...

    def versions_at(self, workflow_ids: Collection[str], position: int) -> Mapping[str, int]:
        """How many events each workflow had at a position; 0 for one that did not exist."""
        ...

    def position_at(self, time: datetime) -> int:
        """The end of the longest beginning of the feed without an event recorded later than this.

        Raises TimeNotFound if that would take too long.
        """
        ...

    def candidates(
        self, user_id: str, position: int, before: int | None, limit: int, room: int
    ) -> Sequence[Candidate]:
        """A user's workflows created at a position or earlier, deleted ones too, newest first.

        `before` is a position before which they were created; None for the first ones. At most
        `limit` of them, and no more rows than fit into `room` bytes; the first one is always
        included.
        """
        ...

    def erasures(self, workflow_ids: Collection[str]) -> Mapping[str, ErasureMark]:
        """The erasure of each of these workflows; those without one are absent."""
        ...

    def ledger(self, keys: Collection[LedgerKey]) -> Mapping[LedgerKey, LedgerEntry]:
        """The ledger entries of these keys; those that do not exist are absent."""
        ...


class Records(Protocol):
    """Where records are read. For one thread."""

    def ask(self, question: Callable[[Record], T]) -> T:
        """The answer to a question, which may be put more than once.

        Raises what the question raises, or StoreUnavailable.
        """
        ...
