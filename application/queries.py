"""Get and List."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.cursors import Cursors
from application.ports import ListedView, View, WorkflowViews
from domain import fields
from domain.errors import InvalidFields, WorkflowNotFound
from domain.filters import Filters
from domain.workflow import visible

MAX_PAGE_BYTES = 3 * 1024 * 1024
"""What a page holds at most, unless one workflow is larger: clients take 4 MiB by default."""
OTHER_BYTES = 256
"""Room for all of a listed workflow but its name and payload: id, numbers, times and framing."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, newest first; the cursor is empty on the last one."""

    views: Sequence[View]
    cursor: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question for one workflow by a user, or by a service, whose user is empty."""

    workflow_id: str
    user_id: str

    @classmethod
    def by_owner(cls, workflow_id: str, user_id: str) -> "Lookup":
        """For a user's own workflow. Raises InvalidFields."""
        fields.refuse_invalid(
            ("id", fields.workflow_id(workflow_id)), ("user_id", fields.required_text(user_id))
        )
        return cls(workflow_id, user_id)

    @classmethod
    def by_service(cls, workflow_id: str) -> "Lookup":
        """For any workflow. Raises InvalidFields."""
        fields.refuse_invalid(("id", fields.workflow_id(workflow_id)))
        return cls(workflow_id, "")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A question for the page of a user's list after a cursor, or for the first."""

    user_id: str
    filters: Filters
    cursor: str

    def __post_init__(self) -> None:
        """Raises InvalidFields."""
        fields.refuse_invalid(("user_id", fields.required_text(self.user_id)))


class Queries:
    """What may be read: a batch of questions in, an answer or a refusal for each out."""

    def __init__(self, views: WorkflowViews, cursors: Cursors, page_size: int) -> None:
        self._views = views
        self._cursors = cursors
        self._page_size = page_size

    def look_up(self, batch: Sequence[Lookup]) -> list[View | Exception]:
        """The workflows, read together; WorkflowNotFound for what a caller may not see.

        Raises StoreUnavailable for them all.
        """
        found = self._views.get({lookup.workflow_id for lookup in batch})
        return [_seen(found.get(lookup.workflow_id), lookup) for lookup in batch]

    def pages(self, batch: Sequence[PageRequest]) -> list[Page | Exception]:
        """The pages, each read by itself; InvalidFields for a cursor of another list.

        Raises StoreUnavailable for them all.
        """
        return [self._page(request) for request in batch]

    def _page(self, asked: PageRequest) -> Page | Exception:
        user_id, filters, cursor = asked.user_id, asked.filters, asked.cursor
        try:
            before = self._cursors.read(cursor, user_id, filters) if cursor else None
        except InvalidFields as refused:
            return refused
        listed = self._views.page(user_id, filters, before, self._page_size + 1)
        page = listed[: min(self._page_size, _that_fit(listed))]
        more = len(listed) > len(page)
        end = self._cursors.write(user_id, filters, page[-1].created_position) if more else ""
        return Page([row.view for row in page], end)


def _seen(view: View | None, lookup: Lookup) -> View | Exception:
    if view is None:
        return WorkflowNotFound(lookup.workflow_id)
    try:
        visible(view.workflow, lookup.workflow_id, lookup.user_id)
    except WorkflowNotFound as hidden:
        return hidden
    return view


def _that_fit(listed: Sequence[ListedView]) -> int:
    """How many of these fit into one page's bytes: at least one."""
    room = MAX_PAGE_BYTES
    for count, row in enumerate(listed):
        workflow = row.view.workflow
        room -= len(workflow.payload.encode()) + len(workflow.name.encode()) + OTHER_BYTES
        if room < 0 and count:
            return count
    return len(listed)
