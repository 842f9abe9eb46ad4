"""A page of a user's list as it was at a position."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from application.history.states import states
from application.ports import (
    OTHER_BYTES,
    Candidate,
    ListedWorkflow,
    Record,
    Version,
)
from application.queries import MAX_PAGE_BYTES
from domain.filters import Filters
from domain.workflow import Workflow

MOST_CANDIDATES = 1000
"""How many candidates are read at once at most."""

_values = attrgetter(*ListedWorkflow._fields[1:-1])


@dataclass(frozen=True, slots=True)
class ListAt:
    """The list of a user at a position, with its filters."""

    user_id: str
    position: int
    filters: Filters


def page_at(
    record: Record, asked: ListAt, before: int | None, limit: int, out_of_time: Callable[[], bool]
) -> tuple[Sequence[ListedWorkflow], int | None]:
    """The workflows of a page, newest first, and the position before which the next page begins.

    That is None on the last page. `before` is the one of the page before. A page ends as one of
    ListWorkflows does, or early if `out_of_time` is true. Raises StoredDataDamaged.
    """
    found: list[ListedWorkflow] = []
    room = MAX_PAGE_BYTES
    for created_position, listed in _walk(record, asked, before, limit + 1):
        if listed is not None and asked.filters.matches(listed):
            room -= len(listed.payload.encode()) + len(listed.name.encode()) + OTHER_BYTES
            if len(found) == limit or (found and room < 0):
                return found, found[-1].created_position
            found.append(listed)
        if out_of_time():
            return found, created_position
    return found, None


def _walk(
    record: Record, asked: ListAt, before: int | None, first: int
) -> Iterator[tuple[int, ListedWorkflow | None]]:
    """Every candidate's position of creation, and what the list showed of it, newest first."""
    count = first
    while True:
        candidates = record.candidates(asked.user_id, asked.position, before, count, MAX_PAGE_BYTES)
        if not candidates:
            return
        yield from _as_they_were(record, candidates, asked.position)
        before = candidates[-1].created_position
        count = max(first, min(2 * count, MOST_CANDIDATES))


def _as_they_were(
    record: Record, candidates: Sequence[Candidate], position: int
) -> Iterator[tuple[int, ListedWorkflow | None]]:
    changed = [each.workflow_id for each in candidates if each.changed]
    versions = record.versions_at(changed, position) if changed else {}
    folded = states(record, [Version(each, versions[each]) for each in changed])
    for candidate in candidates:
        row = candidate.row
        if candidate.changed:
            state = next(folded)
            shown = isinstance(state, Workflow) and state.deleted_at is None
            row = _listed(candidate, state) if shown else None  # type: ignore[arg-type] # it is shown
        yield candidate.created_position, row


def _listed(candidate: Candidate, workflow: Workflow) -> ListedWorkflow:
    return ListedWorkflow._make(
        (candidate.workflow_id, *_values(workflow), candidate.created_position)
    )
