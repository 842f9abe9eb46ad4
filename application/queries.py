"""Get and List."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.cursors import Cursors
from application.ports import ListedView, View, WorkflowViews
from domain import fields
from domain.errors import WorkflowNotFound
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


class Queries:
    """What may be read."""

    def __init__(self, views: WorkflowViews, cursors: Cursors, page_size: int) -> None:
        self._views = views
        self._cursors = cursors
        self._page_size = page_size

    async def get(self, workflow_id: str, user_id: str) -> View:
        """A user's own workflow. Raises InvalidFields or WorkflowNotFound."""
        fields.refuse_invalid(
            ("id", fields.workflow_id(workflow_id)), ("user_id", fields.required_text(user_id))
        )
        return await self._visible(workflow_id, user_id)

    async def get_by_id(self, workflow_id: str) -> View:
        """Any workflow. Raises InvalidFields or WorkflowNotFound."""
        fields.refuse_invalid(("id", fields.workflow_id(workflow_id)))
        return await self._visible(workflow_id, "")

    async def page(self, user_id: str, filters: Filters, cursor: str) -> Page:
        """The page after a cursor, or the first. Raises InvalidFields."""
        fields.refuse_invalid(("user_id", fields.required_text(user_id)))
        before = self._cursors.read(cursor, user_id, filters) if cursor else None
        listed = await self._views.page(user_id, filters, before, self._page_size + 1)
        page = listed[: min(self._page_size, _that_fit(listed))]
        more = len(listed) > len(page)
        end = self._cursors.write(user_id, filters, page[-1].created_position) if more else ""
        return Page([row.view for row in page], end)

    async def _visible(self, workflow_id: str, user_id: str) -> View:
        view = await self._views.get(workflow_id)
        if view is None:
            raise WorkflowNotFound(workflow_id)
        visible(view.workflow, workflow_id, user_id)
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
