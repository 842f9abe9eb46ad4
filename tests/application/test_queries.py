"""Get and List: what a reader may see, and where a page ends."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from application.cursors import Cursors
from application.ports import ListedView, View
from application.queries import MAX_PAGE_BYTES, Queries
from domain.errors import InvalidFields, WorkflowNotFound
from domain.events import WorkflowEvent
from domain.filters import Filters
from tests.domain.given import (
    ANYBODY,
    ID,
    OTHER_ID,
    OWNER,
    STRANGER,
    created,
    deleted,
    terminated,
    workflow,
)

MIB = 1024 * 1024


class Views:
    """WorkflowViews over a handful of workflows, oldest first."""

    def __init__(self, *views: View) -> None:
        self._views = views

    async def get(self, workflow_id: str) -> View | None:
        """See WorkflowViews.get."""
        return next((view for view in self._views if view.id == workflow_id), None)

    async def page(
        self, user_id: str, filters: Filters, before: int | None, limit: int
    ) -> Sequence[ListedView]:
        """See WorkflowViews.page."""
        listed = [
            ListedView(view, position)
            for position, view in enumerate(self._views, 1)
            if view.workflow.user_id == user_id
            and view.workflow.deleted_at is None
            and filters.matches(view.workflow)
            and (before is None or position < before)
        ]
        return listed[::-1][:limit]


def view(name: str, *later: WorkflowEvent, size: int = 0, user_id: str = OWNER) -> View:
    """A workflow of this name, in a payload of this size where one is given."""
    payload = '{"a":"%s"}' % ("x" * (size - 8)) if size else "{}"
    history = created(name=name, payload=payload, user_id=user_id), *later
    return View(name, workflow(*history), len(history))


def queries(*views: View, page_size: int = 2) -> Queries:
    return Queries(Views(*views), Cursors(b"secret"), page_size)


async def pages(asked: Queries, filters: Filters | None = None) -> list[list[str]]:
    """The names on all pages of the owner's list, by following the cursors."""
    found, cursor, more = [], "", True
    while more:
        page = await asked.page(OWNER, filters or Filters(), cursor)
        found.append([view.workflow.name for view in page.views])
        cursor, more = page.cursor, bool(page.cursor)
    return found


ACTIVE = replace(view("active"), id=ID)
ENDED = replace(view("ended", terminated()), id=ID)
GONE = replace(view("gone", deleted()), id=ID)


@pytest.mark.parametrize("seen", [ACTIVE, ENDED], ids=["active", "terminated"])
async def test_an_owner_gets_a_workflow(seen: View) -> None:
    assert await queries(seen).get(ID, OWNER) == seen


@pytest.mark.parametrize("seen", [ACTIVE, ENDED], ids=["active", "terminated"])
async def test_a_service_gets_a_workflow_by_its_id_alone(seen: View) -> None:
    assert await queries(seen).get_by_id(ID) == seen


async def test_another_users_workflow_is_not_found() -> None:
    with pytest.raises(WorkflowNotFound) as refusal:
        await queries(ACTIVE).get(ID, STRANGER)
    assert refusal.value.workflow_id == ID


@pytest.mark.parametrize("views", [[], [GONE]], ids=["absent", "deleted"])
async def test_what_is_not_there_is_not_found_by_its_owner(views: list[View]) -> None:
    with pytest.raises(WorkflowNotFound) as refusal:
        await queries(*views).get(ID, OWNER)
    assert refusal.value.workflow_id == ID


@pytest.mark.parametrize("views", [[], [GONE]], ids=["absent", "deleted"])
async def test_what_is_not_there_is_not_found_by_a_service(views: list[View]) -> None:
    with pytest.raises(WorkflowNotFound):
        await queries(*views).get_by_id(ID)


async def test_get_names_all_its_bad_fields() -> None:
    with pytest.raises(InvalidFields) as refusal:
        await queries().get("?", ANYBODY)
    assert [violation.field for violation in refusal.value.violations] == ["id", "user_id"]


async def test_get_by_id_names_a_bad_id() -> None:
    with pytest.raises(InvalidFields) as refusal:
        await queries().get_by_id(OTHER_ID.upper())
    assert [violation.field for violation in refusal.value.violations] == ["id"]


@pytest.mark.parametrize("user_id", ["", "x" * 256, "\n"])
async def test_list_names_a_bad_user(user_id: str) -> None:
    with pytest.raises(InvalidFields) as refusal:
        await queries().page(user_id, Filters(), "")
    assert [violation.field for violation in refusal.value.violations] == ["user_id"]


async def test_list_names_a_bad_cursor() -> None:
    with pytest.raises(InvalidFields) as refusal:
        await queries().page(OWNER, Filters(), "guessed")
    assert [violation.field for violation in refusal.value.violations] == ["cursor"]


async def test_a_user_without_workflows_has_one_empty_page() -> None:
    assert await pages(queries(view("theirs", user_id=STRANGER))) == [[]]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [["1"]]),
        (2, [["2", "1"]]),
        (3, [["3", "2"], ["1"]]),
        (4, [["4", "3"], ["2", "1"]]),
        (5, [["5", "4"], ["3", "2"], ["1"]]),
    ],
)
async def test_pages_go_from_the_newest_to_the_oldest(
    count: int, expected: list[list[str]]
) -> None:
    views = [view(str(number)) for number in range(1, count + 1)]
    assert await pages(queries(*views)) == expected


async def test_filters_hold_on_every_page() -> None:
    views = [view(f"{word} {n}") for n in range(3) for word in ("day", "night")]
    found = await pages(queries(*views), Filters(query="NIGHT"))
    assert found == [["night 2", "night 1"], ["night 0"]]


async def test_a_cursor_does_not_serve_another_list() -> None:
    asked = queries(*(view(str(number)) for number in range(3)))
    page = await asked.page(OWNER, Filters(), "")
    with pytest.raises(InvalidFields):
        await asked.page(OWNER, Filters(query="1"), page.cursor)


async def test_a_page_ends_early_where_its_payloads_would_be_too_large() -> None:
    views = [view(str(number), size=MIB - 512) for number in range(5)]
    assert MAX_PAGE_BYTES == 3 * MIB
    assert await pages(queries(*views, page_size=50)) == [["4", "3", "2"], ["1", "0"]]


async def test_a_page_ends_early_where_its_names_would_be_too_large() -> None:
    names = [f"{number:04}{'🚀' * 251}" for number in range(4000)]
    first, *_ = await pages(queries(*map(view, names), page_size=4000))
    assert sum(len(name.encode()) for name in first) < MAX_PAGE_BYTES


async def test_a_page_holds_one_workflow_however_large() -> None:
    views = [view(str(number), size=4 * MIB) for number in range(2)]
    assert await pages(queries(*views, page_size=50)) == [["1"], ["0"]]
