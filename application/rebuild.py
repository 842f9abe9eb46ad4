"""The current-state rows made anew from the events, while the service goes on with the old ones.

The steps: every workflow is folded and written to a second table; indexes are built; what was
recorded meanwhile is followed; both tables are compared row by row; in one short transaction the
second table takes the place of the first. Each step can be interrupted and continued.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple, Protocol

from application.progress import Progress, Report, unreported

FEW = 1000  # workflows that may still be folded and compared while appends wait
EXAMPLES = 20  # differences that are shown


class Difference(NamedTuple):
    """A live row that is not the fold of its events.

    `kind` is "differs", "missing" (there are events and no row) or "surplus" (there is a row, but
    no events, or forgotten ones). `columns` are those that differ.
    """

    workflow_id: str
    kind: str
    columns: Sequence[str] = ()


@dataclass
class Differences:
    """All differences: their count by kind, that of differing columns, and the first ones."""

    kinds: Counter[str] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)
    examples: list[Difference] = field(default_factory=list)

    def add(self, found: Collection[Difference]) -> None:
        """Counts differences, and keeps the first ones."""
        for difference in found:
            self.kinds[difference.kind] += 1
            self.columns.update(difference.columns)
            if len(self.examples) < EXAMPLES:
                self.examples.append(difference)


class Followed(NamedTuple):
    """What one look at the feed brought: the workflows that changed, and the events that follow."""

    changed: Collection[str]
    behind: int


class Compared(NamedTuple):
    """The result of comparing some rows."""

    rows: int
    differences: Sequence[Difference]


class ShadowTable(Protocol):
    """The second table, and what is known of the work on it. One process at a time has it."""

    @property
    def total(self) -> int:
        """How many events there were to fold when the work began."""
        ...

    @property
    def filled(self) -> int:
        """How many events were folded in the first step."""
        ...

    def fill(self) -> Iterator[None]:
        """Folds every workflow and writes its row, part by part. Raises StoredDataDamaged."""
        ...

    def index(self) -> Iterator[str]:
        """Builds each index that is missing, and yields its name before."""
        ...

    def follow(self) -> Followed:
        """Folds the next events of the feed. Raises StoredDataDamaged."""
        ...

    def compare(self) -> Iterator[Compared]:
        """Compares all rows, part by part; a live row that is ahead of the second table is left."""
        ...

    def compare_some(self, ids: Collection[str]) -> Compared:
        """Compares the rows of these workflows."""
        ...

    def switch(self) -> Compared:
        """Follows and compares what is left, and puts the second table in the place of the first.

        Appends wait meanwhile. Returns what was compared at last.
        """
        ...


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A rebuild that is complete: the rows compared, how the old ones differed, and seconds."""

    compared: int
    differences: Differences
    seconds: float


def rebuild(table: ShadowTable, report: Report = unreported) -> Rebuilt:
    """Rebuilds the rows: see the module. Raises StoredDataDamaged at events that cannot be folded.

    After an exception, or the end of the process, the next call goes on where this one ended.
    """
    began = monotonic()
    _fill(table, report)
    for index in table.index():
        report(_step(f"index {index}", 0, 0, began))
    _follow(table, report)
    differences, compared = _compare(table, report)
    changed = _follow(table, report)
    while len(changed) > FEW:
        again = table.compare_some(changed)
        differences.add(again.differences)
        changed = _follow(table, report)
    for part in (table.compare_some(changed), table.switch()):
        differences.add(part.differences)
    return Rebuilt(compared, differences, monotonic() - began)


def _fill(table: ShadowTable, report: Report) -> None:
    began, before = monotonic(), table.filled
    for _ in table.fill():
        report(_step("fill", table.filled, table.total, began, before))


def _follow(table: ShadowTable, report: Report) -> set[str]:
    """Follows the feed to its end, nearly. Returns the workflows that changed."""
    began, done = monotonic(), 0
    changed: set[str] = set()
    while True:
        followed = table.follow()
        changed.update(followed.changed)
        done += len(followed.changed)
        report(_step("follow", done, done + followed.behind, began))
        if followed.behind < FEW:
            return changed


def _compare(table: ShadowTable, report: Report) -> tuple[Differences, int]:
    began, compared = monotonic(), 0
    differences = Differences()
    for part in table.compare():
        compared += part.rows
        differences.add(part.differences)
        report(_step("compare", compared, compared, began))
    return differences, compared


def _step(name: str, done: int, total: int, began: float, before: int = 0) -> Progress:
    return Progress(name, done, total, done - before, monotonic() - began)
