"""Get and List: what a caller may read of current workflows."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from application import cursors
from application.cursors import Cursors
from application.damage import Damaged, known_damage
from application.ports import (
    ListedWorkflow,
    SearchTooBroad,
    StoredDataDamaged,
    StoreUnavailable,
    Unread,
    View,
    WorkflowViews,
)
from domain import fields
from domain.catalogue import Catalogue
from domain.errors import InvalidFields, WorkflowNotFound
from domain.filters import Filters
from domain.values import value
from domain.workflow import visible

MAX_PAGE_BYTES = 3 * 1024 * 1024
"""The most bytes of a page, unless its first workflow is larger. Clients accept 4 MiB."""


@value()
class Page:
    """Part of a list, newest workflow first; the cursor is empty on the last page.

    `unreadable` are the ids of workflows that the page lacks because their data is damaged.
    """

    workflows: Sequence[ListedWorkflow]
    cursor: str
    unreadable: Sequence[str] = ()


@value()
class Lookup:
    """Asks for one workflow: as its owner, or as a service with an empty `user_id`."""

    workflow_id: str
    user_id: str

    @classmethod
    def by_owner(cls, workflow_id: str, user_id: str) -> "Lookup":
        """Asks for a workflow that this user must own. Raises InvalidFields."""
        fields.refuse_invalid(
            ("id", fields.workflow_id(workflow_id)), ("user_id", fields.required_text(user_id))
        )
        return cls(workflow_id, user_id)

    @classmethod
    def by_service(cls, workflow_id: str) -> "Lookup":
        """Asks for a workflow of any owner. Raises InvalidFields."""
        fields.refuse_invalid(("id", fields.workflow_id(workflow_id)))
        return cls(workflow_id, "")


@value()
class PageRequest:
    """Asks for the page of a user's list that follows a cursor; the first if it is empty."""

    user_id: str
    filters: Filters
    cursor: str

    @classmethod
    def checked(
        cls, user_id: str, filters: Filters, cursor: str, catalogue: Catalogue
    ) -> "PageRequest":
        """Raises InvalidFields, which names every bad field, and a cursor of a wrong form."""
        violations = [
            *fields.violations([("user_id", fields.required_text(user_id))]),
            *filters.violations(catalogue),
            *fields.violations([("cursor", cursors.form(cursor))]),
        ]
        if violations:
            raise InvalidFields(violations)
        return cls(user_id, filters, cursor)


class Queries:
    """Reads for a batch of callers at once: a result or a refusal for each, in order."""

    def __init__(
        self,
        views: WorkflowViews,
        cursors: Cursors,
        page_size: int,
        damaged: Damaged | None = None,
    ) -> None:
        """A page holds at most `page_size` workflows."""
        self._views = views
        self._cursors = cursors
        self._page_size = page_size
        self._damaged = Damaged() if damaged is None else damaged

    def look_up(self, batch: Sequence[Lookup]) -> Iterator[View | Exception]:
        """The workflows, read together; WorkflowNotFound for one that a caller may not see.

        Large ones are read one by one, so that memory holds only one of them at a time. If a
        workflow cannot be read, only the lookups of that workflow fail. Raises StoreUnavailable if
        the store is lost.
        """
        found = self._read({lookup.workflow_id for lookup in batch})
        for lookup in batch:
            view = found.get(lookup.workflow_id)
            if isinstance(view, Unread):
                view = self._read({lookup.workflow_id}).get(lookup.workflow_id)
            yield _seen(view, lookup)

    def _read(self, ids: Collection[str]) -> Mapping[str, View | Unread | Exception]:
        """The views by id; an exception for an id that cannot be read (found by halves)."""
        if self._damaged and (known := self._damaged.among(ids)):
            answers = {workflow_id: known_damage(workflow_id) for workflow_id in known}
            return {**answers, **self._read(set(ids) - known)}
        try:
            return self._views.get(ids) if ids else {}
        except StoreUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001 - it is the answer about the one at fault
            if len(ids) == 1:
                [workflow_id] = ids
                return {workflow_id: self._damaged.found(workflow_id, fault)}
        every, middle = sorted(ids), len(ids) // 2
        return {**self._read(set(every[:middle])), **self._read(set(every[middle:]))}

    def pages(self, batch: Sequence[PageRequest]) -> list[Page | Exception]:
        """The pages, one after the other. A result is InvalidFields for a cursor of another list,
        SearchTooBroad for filters that would take too long, StoredDataDamaged if the page
        cannot be read even in part.

        Raises StoreUnavailable if one of them could not be read.
        """
        return [self._page(request) for request in batch]

    def _page(self, asked: PageRequest) -> Page | Exception:
        before = None
        if asked.cursor:
            try:
                before = self._cursors.read(asked.cursor, asked.user_id, asked.filters)
            except InvalidFields as refusal:
                return refusal
        try:
            found = self._views.page(
                asked.user_id, asked.filters, before, self._page_size, MAX_PAGE_BYTES
            )
        except (SearchTooBroad, StoredDataDamaged) as refusal:
            return refusal
        cursor = ""
        if found.end is not None:
            cursor = self._cursors.write(asked.user_id, asked.filters, found.end)
        return Page(found.workflows, cursor, found.unreadable)


def _seen(view: View | Unread | Exception | None, lookup: Lookup) -> View | Exception:
    if view is None or isinstance(view, Unread):
        return WorkflowNotFound(lookup.workflow_id)
    if isinstance(view, Exception):
        return view
    try:
        visible(view.workflow, lookup.workflow_id, lookup.user_id)
    except WorkflowNotFound as hidden:
        return hidden
    return view
