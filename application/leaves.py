"""What the log of checkpoints says of an event: a text of digests and numbers, without content.

So an event whose content was erased is proved like any other, and the log never holds anything
about a person.
"""

from hashlib import sha256
from typing import NamedTuple

from application.ports import Feed

_FORMAT = "workflows.event.v1"


class LeafUnreadable(Exception):
    """A leaf is none of this format."""


class Leaf(NamedTuple):
    """An event as the log names it; `digest` is the SHA-256 of its stored bytes, in hexadecimal."""

    position: int
    workflow_id: str
    version: int
    name: str
    digest: str

    @classmethod
    def of(cls, position: int, workflow_id: str, version: int, name: str, state: bytes) -> "Leaf":
        """The leaf of an event, from its stored bytes: no digest that is stored is believed."""
        return cls(position, workflow_id, version, name, sha256(state).hexdigest())

    @property
    def identity(self) -> tuple[str, int]:
        """The event, wherever it stands in the feed."""
        return self.workflow_id, self.version

    def text(self, feed: Feed) -> bytes:
        """The leaf in the log of a feed."""
        return (
            f"{_FORMAT}\n{feed.epoch}/{feed.number}\n{self.position}\n{self.workflow_id}\n"
            f"{self.version}\n{self.name}\n{self.digest}\n"
        ).encode()

    @classmethod
    def parse(cls, text: bytes) -> "Leaf":
        """The event that a leaf names. Raises LeafUnreadable."""
        lines = text.decode("utf-8", "replace").split("\n")
        try:
            form, _, position, workflow_id, version, name, digest, end = lines
            leaf = cls(int(position), workflow_id, int(version), name, digest)
        except ValueError as unreadable:
            raise LeafUnreadable("a leaf of the log cannot be read") from unreadable
        if form != _FORMAT or end:
            raise LeafUnreadable("a leaf of the log is of another format")
        return leaf


def index_of(position: int) -> int:
    """The index of an event's leaf: positions count from 1, leaves from 0."""
    return position - 1


def position_of(index: int) -> int:
    """The position of the event at an index of the log."""
    return index + 1
