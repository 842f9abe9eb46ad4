"""Workflows whose stored data cannot be read: found once, then refused at once."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TypeVar

from application.ports import StoredDataDamaged, StoreUnavailable

LOOK_EVERY = 1.0  # seconds between two looks whether a damaged workflow was changed
READ_AGAIN_AFTER = 60.0  # seconds: a repaired index, for example, changes no row and no event
ROOM = 1024  # workflows

T = TypeVar("T")

Marks = Callable[[Collection[str]], Mapping[str, str]]
"""Returns a mark for each workflow id: another one if its row or one of its events was changed.

Costs far less than to read the workflows, and does not fail if they are damaged. Raises
StoreUnavailable.
"""


class KnownDamage(StoredDataDamaged):
    """The workflow was found damaged before; the damage was reported at that time."""


@dataclass(slots=True)
class _Found:
    """A damaged workflow: its mark, and when to look at the mark and to read it again."""

    mark: str
    look_at: float
    read_at: float


class Reports:
    """Remembers which damage was reported, so that each is reported once. Safe on any threads."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}
        self._noting = Lock()

    def is_new(self, workflow_id: str, mark: str) -> bool:
        """Whether this was not asked before about the workflow with this mark."""
        with self._noting:
            before = self._marks.get(workflow_id)
            _keep(self._marks, workflow_id, mark)
        return before != mark


class Damaged:
    """Remembers which workflows were found damaged, until they are changed. For one thread.

    Finding the damaged workflow of a batch takes many reads, and all other commands of the batch
    wait for them. So a damaged workflow is not read again before its row or an event was changed,
    or a minute has passed.
    """

    def __init__(
        self,
        marks: Marks = lambda _: {},
        reports: Reports | None = None,
        look_every: float = LOOK_EVERY,
    ) -> None:
        """`look_every` is in seconds. Without `marks`, only time makes it read again.

        `reports` are shared by all threads of a process.
        """
        self._marks = marks
        self._reports = reports or Reports()
        self._look_every = look_every
        self._found: dict[str, _Found] = {}

    def __bool__(self) -> bool:
        """Whether any workflow is remembered."""
        return bool(self._found)

    def found(self, workflow_id: str, fault: Exception) -> Exception:
        """Remembers a workflow if the fault that it caused is damage. Returns what callers get.

        That is the fault, or KnownDamage if the same damage was reported before.
        """
        if not isinstance(fault, StoredDataDamaged):
            return fault
        try:
            mark = self._marks([workflow_id]).get(workflow_id, "")
        except StoreUnavailable:
            return fault
        now = monotonic()
        _keep(
            self._found, workflow_id, _Found(mark, now + self._look_every, now + READ_AGAIN_AFTER)
        )
        new = self._reports.is_new(workflow_id, mark)
        return fault if new else known_damage(workflow_id)

    def among(self, ids: Iterable[str]) -> set[str]:
        """Those of the workflows that must not be read now. Raises StoreUnavailable."""
        known = {workflow_id for workflow_id in ids if workflow_id in self._found}
        now = monotonic()
        due = [workflow_id for workflow_id in known if self._found[workflow_id].look_at <= now]
        if not due:
            return known
        marks = self._marks(due)
        for workflow_id in due:
            found = self._found[workflow_id]
            if marks.get(workflow_id, "") == found.mark and now < found.read_at:
                found.look_at = now + self._look_every
            else:
                del self._found[workflow_id]
                known.discard(workflow_id)
        return known


def known_damage(workflow_id: str) -> KnownDamage:
    """The refusal of a call for a workflow that is remembered."""
    return KnownDamage(f"workflow {workflow_id} was found damaged")


def _keep(memory: dict[str, T], workflow_id: str, value: T) -> None:
    """Adds an entry; the oldest one makes room for it."""
    memory.pop(workflow_id, None)
    if len(memory) >= ROOM:
        del memory[next(iter(memory))]
    memory[workflow_id] = value
