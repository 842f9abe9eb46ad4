"""The answers to questions about the past."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.history.entries import Entry
from application.history.proofs import CheckpointNow, EventProof
from application.history.whatif import Hypothesis
from application.ports import ErasureMark, ListedWorkflow, Place
from domain.diffs import FieldChange
from domain.workflow import Workflow


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A page of a history; `version` counts all events of the workflow, of all types.

    `checkpoint_size` is how many events of the feed the newest signed checkpoint covers.
    """

    entries: Sequence[Entry]
    cursor: str
    version: int
    place: Place
    checkpoint_size: int


@dataclass(frozen=True, slots=True)
class WorkflowThen:
    """A workflow at a moment, after `version` events; or the erasure that took its content away."""

    workflow_id: str
    workflow: Workflow | ErasureMark
    version: int
    place: Place


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two versions of a workflow; or the erasure of its content."""

    workflow_id: str
    changes: Sequence[FieldChange] | ErasureMark
    from_version: int
    to_version: int
    place: Place


@dataclass(frozen=True, slots=True)
class ListThen:
    """A page of a list at a moment, newest workflow first; the cursor is empty on the last page."""

    workflows: Sequence[ListedWorkflow]
    cursor: str
    place: Place


Answer = (
    HistoryPage | WorkflowThen | Difference | ListThen | Hypothesis | EventProof | CheckpointNow
)
