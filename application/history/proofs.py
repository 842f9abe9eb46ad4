"""Proofs of events and signed checkpoints, as the log of checkpoints gives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from application.history.entries import Entry, entries
from application.leaves import Leaf
from application.ports import Feed, Place, Record, StoredDataDamaged, Version


class NotProvable(Exception):
    """There is no checkpoint for what is asked. The text is a sentence for callers."""


@dataclass(frozen=True, slots=True)
class SignedState:
    """A signed checkpoint: the note, what it says, and by which policy it is verified."""

    note: str
    origin: str
    size: int
    root: bytes
    signed_at: datetime
    policy: str
    cosigned_by: Sequence[str]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A proof that a leaf is in the log of a checkpoint of `size` leaves."""

    proof: str
    leaf: Leaf
    text: bytes
    size: int


class SignedLogs(Protocol):
    """The logs of checkpoints, one for each epoch. Safe on any thread.

    Each method raises StoredDataDamaged if the files of the log contradict each other.
    """

    def size(self, feed: Feed) -> int:
        """How many events the newest checkpoint covers; 0 if there is none, or it is damaged."""
        ...

    def newest(self, feed: Feed) -> SignedState:
        """The newest checkpoint. Raises NotProvable if there is none."""
        ...

    def inclusion(self, feed: Feed, position: int) -> Inclusion:
        """The proof of a position. Raises NotProvable if no checkpoint covers it."""
        ...


@dataclass(frozen=True, slots=True)
class CheckpointNow:
    """The newest checkpoint, and where the feed ends."""

    signed: SignedState
    place: Place


@dataclass(frozen=True, slots=True)
class EventProof:
    """A proof of an event, and the event; `place` is the end of what the checkpoint covers."""

    inclusion: Inclusion
    entry: Entry
    place: Place


def checkpoint_now(record: Record, logs: SignedLogs) -> CheckpointNow:
    """The newest checkpoint. Raises NotProvable."""
    return CheckpointNow(logs.newest(record.place.feed), record.place)


def event_proof(record: Record, logs: SignedLogs, position: int) -> EventProof:
    """The proof of the event at a position.

    Raises NotProvable, and StoredDataDamaged if the event is not the one that was signed.
    """
    inclusion = logs.inclusion(record.place.feed, position)
    leaf = inclusion.leaf
    [event] = record.events([Version(leaf.workflow_id, leaf.version)])
    if (event.position, event.name, event.digest.hex()) != (position, leaf.name, leaf.digest):
        raise StoredDataDamaged(f"the event at position {position} is not the one that was signed")
    [entry] = entries(record, [event])
    return EventProof(inclusion, entry, record.place._replace(position=inclusion.size))
