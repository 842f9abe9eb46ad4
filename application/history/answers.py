"""The answers to questions about the past, each from one look at the record."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import monotonic

from application.draft import Submission
from application.history.cursors import (
    HISTORY_FORM,
    LIST_FORM,
    history_question,
    list_question,
)
from application.history.entries import entries, erasure_of, fitting
from application.history.lists import ListAt, page_at
from application.history.moments import NotYetCreated, place_of, version_of
from application.history.proofs import (
    EventProof,
    NotProvable,
    SignedLogs,
    checkpoint_now,
    event_proof,
)
from application.history.questions import (
    AsOfRequest,
    CheckpointRequest,
    DiffRequest,
    HistoryRequest,
    ListAsOfRequest,
    ProofRequest,
    Question,
    Subject,
    WhatIfRequest,
)
from application.history.results import (
    Answer,
    Difference,
    HistoryPage,
    ListThen,
    WorkflowThen,
)
from application.history.states import State, state_at, states
from application.history.whatif import Hypothesis, what_if
from application.ledger import LedgerDigests
from application.ports import (
    ErasureMark,
    Feed,
    Forgotten,
    Record,
    Records,
    Span,
    StoreUnavailable,
    Version,
)
from application.queries import MAX_PAGE_BYTES
from application.seals import Seals
from domain.diffs import FieldChange, changes
from domain.errors import InvalidFields, Violation, WorkflowNotFound
from domain.workflow import Workflow

LIST_WITHIN = 0.5  # seconds after which a page of a list of the past ends early


class Histories:
    """Answers questions about the past. For one thread."""

    def __init__(
        self,
        records: Records,
        secret: bytes,
        current_feed: Callable[[], Feed],
        digests: LedgerDigests,
        page_size: int,
        logs: SignedLogs,
    ) -> None:
        """`secret` seals cursors; a page of a list holds at most `page_size` workflows."""
        self._records = records
        self._history_seals = Seals(HISTORY_FORM, secret, current_feed)
        self._list_seals = Seals(LIST_FORM, secret, current_feed)
        self._digests = digests
        self._page_size = page_size
        self._logs = logs

    def answer(self, batch: Sequence[Question]) -> Iterator[Answer | Exception]:
        """An answer or a refusal for each question, in order. Raises StoreUnavailable."""
        for question in batch:
            try:
                yield self._records.ask(partial(self._answer, question))
            except StoreUnavailable:
                raise
            except Exception as refusal:  # noqa: BLE001 - it is the outcome of this question
                yield refusal

    def _answer(self, question: Question, record: Record) -> Answer:
        match question:
            case HistoryRequest():
                return self._page(record, question)
            case AsOfRequest():
                return _as_of(record, question)
            case DiffRequest():
                return _difference(record, question)
            case ListAsOfRequest():
                return self._list(record, question)
            case WhatIfRequest():
                return self._what_if(record, question)
            case ProofRequest():
                return self._proof(record, question)
            case CheckpointRequest():
                return checkpoint_now(record, self._logs)

    def _page(self, record: Record, asked: HistoryRequest) -> HistoryPage:
        workflow_id = asked.subject.workflow_id
        last = _last_version(record, asked.subject)
        question = history_question(workflow_id, asked.types, newest_first=asked.newest_first)
        above, below = 0, last + 1
        if asked.cursor:
            [ended] = self._history_seals.read(asked.cursor, question)
            above, below = (0, ended) if asked.newest_first else (ended, below)
        span = Span(above, below, asked.newest_first, asked.types)
        events, more = record.page(workflow_id, span, asked.size, MAX_PAGE_BYTES)
        made = fitting(entries(record, events))
        cursor = ""
        if more or len(made) < len(events):
            cursor = self._history_seals.write(question, made[-1].event.version)
        return HistoryPage(made, cursor, last, record.place, self._logs.size(record.place.feed))

    def _list(self, record: Record, asked: ListAsOfRequest) -> ListThen:
        question = list_question(asked.user_id, asked.filters)
        before = None
        if asked.cursor:
            position, before = self._list_seals.read(asked.cursor, question)
            place = record.place._replace(position=position)
        else:
            place = place_of(record, asked.moment)
        give_up_at = monotonic() + LIST_WITHIN
        found, following = page_at(
            record,
            ListAt(asked.user_id, place.position, asked.filters),
            before,
            self._page_size,
            lambda: monotonic() > give_up_at,
        )
        cursor = ""
        if following is not None:
            cursor = self._list_seals.write(question, place.position, following)
        return ListThen(found, cursor, place)

    def _proof(self, record: Record, asked: ProofRequest) -> EventProof:
        found = event_proof(record, self._logs, asked.position)
        owner = _owner(record, found.entry.event.workflow_id) if asked.user_id else ""
        if owner != asked.user_id:
            raise NotProvable(f"No event of this user stands at position {asked.position}.")
        return found

    def _what_if(self, record: Record, asked: WhatIfRequest) -> Hypothesis:
        if isinstance(asked.asked, InvalidFields):
            return Hypothesis("", (), None, asked.asked, record.place)
        workflow_id, user_id = asked.asked.id, asked.asked.user_id
        last = record.last_version(workflow_id)
        if last and user_id and _owner(record, workflow_id) != user_id:
            last = 0  # A user is told of another's workflow that it does not exist.
        version, place = version_of(record, workflow_id, last, asked.moment)
        submission = Submission(asked.asked, asked.origin)
        return what_if(record, submission, version.version, place, self._digests)


def _as_of(record: Record, asked: AsOfRequest) -> WorkflowThen:
    last = _last_version(record, asked.subject)
    version, place = version_of(record, asked.subject.workflow_id, last, asked.moment)
    state = state_at(record, version)
    if state is None:
        raise NotYetCreated(version.workflow_id, place)
    if isinstance(state, Forgotten):
        erasure = erasure_of(record, version.workflow_id)
        return WorkflowThen(version.workflow_id, erasure, version.version, place)
    return WorkflowThen(version.workflow_id, state, version.version, place)


def _difference(record: Record, asked: DiffRequest) -> Difference:
    last = _last_version(record, asked.subject)
    wanted = (asked.from_version, asked.to_version or last)
    for name, value in zip(("from_version", "to_version"), wanted, strict=True):
        if value > last:
            complaint = f"is {value}; 0 to {last}, its last version, is accepted"
            raise InvalidFields([Violation(name, complaint)])
    workflow_id = asked.subject.workflow_id
    before, after = states(record, [Version(workflow_id, version) for version in wanted])
    differing = _changes(record, workflow_id, before, after)
    return Difference(workflow_id, differing, *wanted, record.place)


def _changes(
    record: Record, workflow_id: str, before: State, after: State
) -> Sequence[FieldChange] | ErasureMark:
    if isinstance(before, Forgotten) or isinstance(after, Forgotten):
        return erasure_of(record, workflow_id)
    return changes(before, after)


def _last_version(record: Record, subject: Subject) -> int:
    """How many events the workflow has.

    Raises WorkflowNotFound if it does not exist, or is not that of the user who is named.
    """
    last = record.last_version(subject.workflow_id)
    if not last or (subject.user_id and _owner(record, subject.workflow_id) != subject.user_id):
        raise WorkflowNotFound(subject.workflow_id)
    return last


def _owner(record: Record, workflow_id: str) -> str | None:
    """The owner of a workflow; None if that was erased."""
    created = state_at(record, Version(workflow_id, 1))
    return created.user_id if isinstance(created, Workflow) else None
