"""What is asked about the past. A question that exists is within all bounds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from application.history.cursors import HISTORY_FORM, LIST_FORM
from application.ports import Origin
from domain import fields
from domain.catalogue import Catalogue
from domain.commands import Command
from domain.errors import InvalidFields
from domain.filters import Filters

MAX_PAGE_SIZE = 1000
DEFAULT_PAGE_SIZE = 50
MAX_NUMBER = 2**63 - 1
NOBODY = Origin("", "")


@dataclass(frozen=True, slots=True)
class AtTime:
    """After the longest beginning of the feed without an event recorded later than this."""

    time: datetime


@dataclass(frozen=True, slots=True)
class AtPosition:
    """After the event at this position."""

    position: int


@dataclass(frozen=True, slots=True)
class AtVersion:
    """After so many events of the workflow."""

    version: int


Moment = AtTime | AtPosition | AtVersion | None
"""A moment of the past; None is now."""


def number(value: int) -> str | None:
    """A position or a version: 0 or more."""
    return None if 0 <= value <= MAX_NUMBER else f"is {value}; 0 or more is accepted"


def _existing(value: int) -> str | None:
    """A position at which an event can stand."""
    return None if 1 <= value <= MAX_NUMBER else f"is {value}; 1 or more is accepted"


def page_size(value: int) -> str | None:
    """The most events of a page: 0 stands for DEFAULT_PAGE_SIZE."""
    if 0 <= value <= MAX_PAGE_SIZE:
        return None
    return f"is {value}; 1 to {MAX_PAGE_SIZE}, or 0 for {DEFAULT_PAGE_SIZE}, are accepted"


def _moment(moment: Moment) -> list[fields.Check]:
    match moment:
        case AtPosition(position):
            return [("moment.position", number(position))]
        case AtVersion(version):
            return [("moment.version", number(version))]
    return []


@dataclass(frozen=True, slots=True)
class Subject:
    """One workflow: of this user, or of anyone if `user_id` is empty."""

    workflow_id: str
    user_id: str

    @property
    def checks(self) -> list[fields.Check]:
        """Whether its fields are within their bounds."""
        return [
            ("id", fields.workflow_id(self.workflow_id)),
            ("user_id", fields.optional_text(self.user_id)),
        ]


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """Asks for a page of a workflow's events; `types` are their types, empty for all."""

    subject: Subject
    newest_first: bool
    types: frozenset[str]
    page_size: int
    cursor: str

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            *self.subject.checks,
            ("page_size", page_size(self.page_size)),
            ("cursor", HISTORY_FORM.complaint(self.cursor)),
        )

    @property
    def size(self) -> int:
        """Most events on the page."""
        return self.page_size or DEFAULT_PAGE_SIZE


@dataclass(frozen=True, slots=True)
class AsOfRequest:
    """Asks for a workflow at a moment."""

    subject: Subject
    moment: Moment

    def __post_init__(self) -> None:
        fields.refuse_invalid(*self.subject.checks, *_moment(self.moment))


@dataclass(frozen=True, slots=True)
class DiffRequest:
    """Asks what differs between two versions; a `to_version` of 0 is the last one."""

    subject: Subject
    from_version: int
    to_version: int

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            *self.subject.checks,
            ("from_version", number(self.from_version)),
            ("to_version", number(self.to_version)),
        )


@dataclass(frozen=True, slots=True)
class ListAsOfRequest:
    """Asks for a page of a user's list at a moment; a cursor holds the moment itself."""

    user_id: str
    moment: AtTime | AtPosition | None
    filters: Filters
    cursor: str

    @classmethod
    def checked(
        cls, user_id: str, moment: Moment, filters: Filters, cursor: str, catalogue: Catalogue
    ) -> "ListAsOfRequest":
        """Raises InvalidFields, which names every bad field."""
        violations = [
            *fields.violations([("user_id", fields.required_text(user_id))]),
            *filters.violations(catalogue),
            *fields.violations(
                [
                    *_moment(moment),
                    ("moment.version", _NO_VERSION if isinstance(moment, AtVersion) else None),
                    ("cursor", LIST_FORM.complaint(cursor)),
                ]
            ),
        ]
        if violations or isinstance(moment, AtVersion):
            raise InvalidFields(violations)
        return cls(user_id, moment, filters, cursor)


_NO_VERSION = "counts the events of one workflow; a time or a position is accepted for a list"


@dataclass(frozen=True, slots=True)
class WhatIfRequest:
    """Asks what a command would record.

    `asked` is the refusal if the command cannot even exist. `method` is the method that takes it.
    `origin` is that of the call, NOBODY until it is known.
    """

    asked: Command | InvalidFields
    method: str
    moment: Moment
    origin: Origin = NOBODY

    def __post_init__(self) -> None:
        fields.refuse_invalid(*_moment(self.moment))

    def by(self, origin: Callable[[str, str], Origin]) -> "WhatIfRequest":
        """The same question of a caller; `origin` takes a method and the owner who is named."""
        owner = "" if isinstance(self.asked, InvalidFields) else self.asked.user_id
        return replace(self, origin=origin(self.method, owner))


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """Asks for a proof of the event at a position: of this user, or of anyone if that is empty."""

    position: int
    user_id: str = ""

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("position", _existing(self.position)),
            ("user_id", fields.optional_text(self.user_id)),
        )


@dataclass(frozen=True, slots=True)
class CheckpointRequest:
    """Asks for the newest signed checkpoint."""


Question = (
    HistoryRequest
    | AsOfRequest
    | DiffRequest
    | ListAsOfRequest
    | WhatIfRequest
    | ProofRequest
    | CheckpointRequest
)
