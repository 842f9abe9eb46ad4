"""The verification of single workflows, for those who may see them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from application.history.questions import Subject
from application.ports import StoreUnavailable
from application.verification.findings import WorkflowReport
from domain import fields
from domain.errors import WorkflowNotFound


@dataclass(frozen=True, slots=True)
class VerifyWorkflow:
    """Asks for the record of one workflow to be verified."""

    subject: Subject

    def __post_init__(self) -> None:
        fields.refuse_invalid(*self.subject.checks)


@dataclass(frozen=True, slots=True)
class VerifyFeed:
    """Asks for the feed to be verified: all of it, or what follows the last verification."""

    since_last: bool


class Verifier(Protocol):
    """Verifies the workflows of one store. For one thread. Each method raises StoreUnavailable."""

    def owner(self, workflow_id: str) -> str | None:
        """The owner of a workflow; None if that was erased, or can be read nowhere.

        It is the one whom the creation names, or the row if the creation cannot be read. Raises
        WorkflowNotFound if nothing is stored of the workflow.
        """
        ...

    def workflow(self, workflow_id: str) -> WorkflowReport:
        """The verdicts on the whole record of a workflow."""
        ...


class Verifications:
    """Verifies workflows. For one thread."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def answer(self, batch: Sequence[VerifyWorkflow]) -> Iterator[WorkflowReport | Exception]:
        """A report or a refusal for each question, in order. Raises StoreUnavailable."""
        for asked in batch:
            try:
                yield self._verified(asked.subject)
            except StoreUnavailable:
                raise
            except Exception as refusal:  # noqa: BLE001 - it is the outcome of this question
                yield refusal

    def _verified(self, subject: Subject) -> WorkflowReport:
        """The report. Raises WorkflowNotFound, also if it is not that of the user who is named."""
        owner = self._verifier.owner(subject.workflow_id)
        if subject.user_id and owner != subject.user_id:
            raise WorkflowNotFound(subject.workflow_id)
        return self._verifier.workflow(subject.workflow_id)
