"""Whether rows and ledger agree with the events."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import NamedTuple, Protocol

from application.folds import Folded
from application.ports import Forgotten
from application.progress import Progress, Report, unreported
from domain.workflow import Workflow

EXAMPLES = 100  # findings that are kept


class Kind(StrEnum):
    """What can be found."""

    DIFFERS = "row differs"
    """A row is not the fold of its events."""
    MISSING = "row missing"
    """A workflow has events, nothing of it is forgotten, and it has no row."""
    SURPLUS = "row surplus"
    """A row has no events, or forgotten ones."""
    UNREADABLE = "events unreadable"
    """The events of a workflow do not follow one another, or are not what was stored."""
    LOST = "content lost"
    """The content of a workflow's events is gone, and no erasure took it away."""
    ASTRAY = "ledger entry astray"
    """An entry names an event that does not stand where it says."""
    OUTDATED = "row of another shape"
    """No damage: the row was written by another release, and is made anew when it is used."""


class Claim(NamedTuple):
    """Where a row or an entry says that its event stands; 0 and empty where it says nothing."""

    workflow_id: str
    version: int
    position: int
    created_position: int = 0
    digest: bytes = b""


class Finding(NamedTuple):
    """What was found at a workflow, and in which columns or why.

    `position` is that of the event to which a row or an entry belongs; 0 if it is not known.
    `claim` is what the row or the entry says; None if there is none.
    """

    kind: Kind
    workflow_id: str
    detail: str = ""
    position: int = 0
    claim: Claim | None = None
    columns: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row as it is stored: the fold that it claims to be, and what else is derived from it."""

    folded: Folded
    name_folded: str
    is_current_shape: bool


class Part(NamedTuple):
    """What a part of the check looked at: events or ledger entries, and what it found."""

    step: str
    looked_at: int
    workflows: int
    findings: list[Finding]


class CheckedStore(Protocol):
    """A store whose parts can be compared."""

    @property
    def total(self) -> int:
        """How many events and ledger entries there are to look at, or 0 if that is not known."""
        ...

    def parts(self) -> Iterator[Part]:
        """Looks at everything, or at a sample, part by part."""
        ...


@dataclass
class Checked:
    """How much was looked at, and what was found: counts by kind, and the first findings."""

    events: int = 0
    ledger_entries: int = 0
    workflows: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def damaged(self) -> bool:
        """Whether anything was found that is damage."""
        return any(kind is not Kind.OUTDATED for kind in self.kinds)

    def add(self, part: Part) -> None:
        """Counts a part."""
        if part.step == "ledger":
            self.ledger_entries += part.looked_at
        else:
            self.events += part.looked_at
        self.workflows += part.workflows
        self.kinds.update(finding.kind for finding in part.findings)
        self.findings += part.findings[: EXAMPLES - len(self.findings)]


def check(store: CheckedStore, report: Report = unreported) -> Checked:
    """Compares rows and ledger with the events, and reports on the way."""
    began, checked = monotonic(), Checked()
    for part in store.parts():
        checked.add(part)
        checked.seconds = monotonic() - began
        done = checked.events + checked.ledger_entries
        report(Progress(part.step, done, store.total, done, checked.seconds))
    return checked


def row_finding(folded: Folded, row: CheckedRow | None, name_folded: str) -> Finding | None:
    """What is wrong with the row of a workflow; None if it is the fold of the events.

    `name_folded` is what the row must hold for searches.
    """
    if isinstance(folded.workflow, Forgotten):
        forgotten = Finding(Kind.SURPLUS, folded.workflow_id, "it was forgotten", folded.position)
        return forgotten if row else None
    if row is None:
        return Finding(Kind.MISSING, folded.workflow_id, "", folded.position)
    if not row.is_current_shape:
        return Finding(Kind.OUTDATED, folded.workflow_id)
    wrong = list(_differing(folded, row.folded))
    if row.name_folded != name_folded:
        wrong.append("name_folded")
    if not wrong:
        return None
    return Finding(
        Kind.DIFFERS,
        folded.workflow_id,
        ", ".join(wrong),
        folded.position,
        claim_of(row.folded),
        wrong,
    )


def claim_of(row: Folded) -> Claim:
    """What a row says of its events."""
    return Claim(row.workflow_id, row.version, row.position, row.created_position, row.digest)


def _differing(folded: Folded, stored: Folded) -> Iterator[str]:
    for name in ("version", "position", "created_position", "digest"):
        if getattr(folded, name) != getattr(stored, name):
            yield name
    for name in Workflow.__dataclass_fields__:
        if getattr(folded.workflow, name) != getattr(stored.workflow, name):
            yield name
