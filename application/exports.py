"""Evidence packs: what is asked for, and the pieces in which a pack comes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from application.progress import Progress
from domain import fields

MOST_EVENTS = 2_000_000
"""How many events a pack may hold: 8 bytes of memory are held for each."""

_NO_SPAN = "is not later than since; a later time is accepted"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Asks for the events of a workflow, of a user, or of all; empty texts leave a filter out.

    They were recorded at `since` or later, and before `until`. Raises InvalidFields.
    """

    workflow_id: str
    user_id: str
    since: datetime | None
    until: datetime | None

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            (
                "filter.workflow_id",
                fields.workflow_id(self.workflow_id) if self.workflow_id else None,
            ),
            ("filter.user_id", fields.optional_text(self.user_id)),
            ("filter.until", None if self._is_span else _NO_SPAN),
        )

    @property
    def _is_span(self) -> bool:
        return self.since is None or self.until is None or self.since < self.until


class PackTooLarge(Exception):
    """More events match than a pack may hold."""


class Piece(NamedTuple):
    """The next bytes of a pack, and how far it has come, in events."""

    data: bytes
    progress: Progress


class Packs(Protocol):
    """Where packs are made. Safe on any thread: each pack has what it needs to itself."""

    def pieces(self, asked: ExportRequest, wanted: Callable[[], bool]) -> Iterator[Piece]:
        """The pieces of a pack, in order; they end early if they are not `wanted` any more.

        Raises WorkflowNotFound, PackTooLarge, NotProvable, StoreUnavailable, or StoredDataDamaged
        if an event is not the one that was signed.
        """
        ...
