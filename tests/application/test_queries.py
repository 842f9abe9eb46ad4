"""Get and List: what a reader may see, and how a page ends."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from application.cursors import Cursors
from application.damage import KnownDamage
from application.ports import (
    UNREAD,
    Feed,
    ListedWorkflow,
    SearchTooBroad,
    Slice,
    StoredDataDamaged,
    StoreUnavailable,
    Unread,
    View,
)
from application.queries import MAX_PAGE_BYTES, Lookup, Page, PageRequest, Queries
from domain.errors import InvalidFields, WorkflowNotFound
from domain.events import WorkflowEvent
from domain.filters import Filters
from tests.support.given import (
    ANYBODY,
    CATALOGUE,
    ID,
    OTHER_ID,
    OTHER_USER,
    OWNER,
    created,
    deleted,
    fields_refused,
    terminated,
    workflow,
)

LARGE = "large"
TOO_BROAD = "too broad"  # what the double below does not find in time

GUESSED = "A" * 46  # the form of a cursor, and nothing more

CURSORS = Cursors(b"secret", lambda: Feed(7))


class Views:
    """WorkflowViews over a handful of workflows, oldest first."""

    def __init__(self, *views: View) -> None:
        self.asked: list[Collection[str]] = []
        self.faults: dict[str, Exception] = {}
        self._views = views

    def get(self, ids: Collection[str]) -> Mapping[str, View | Unread]:
        """See WorkflowViews.get; a workflow named LARGE is read alone."""
        self.asked.append(ids)
        for workflow_id in ids:
            if fault := self.faults.get(workflow_id):
                raise fault
        return {
            view.id: UNREAD if len(ids) > 1 and view.workflow.name == LARGE else view
            for view in self._views
            if view.id in ids
        }

    def page(
        self, user_id: str, filters: Filters, before: int | None, limit: int, room: int
    ) -> Slice:
        """See WorkflowViews.page; a page of this double has room for all that it holds."""
        assert room == MAX_PAGE_BYTES
        listed = [
            listed_as(view, position)
            for position, view in enumerate(self._views, 1)
            if view.workflow.user_id == user_id
            and view.workflow.deleted_at is None
            and filters.matches(view.workflow)
            and (before is None or position < before)
        ]
        if filters.query == TOO_BROAD:
            raise SearchTooBroad
        shown = listed[::-1][:limit]
        return Slice(shown, shown[-1].created_position if len(listed) > limit else None)


def listed_as(view: View, position: int) -> ListedWorkflow:
    """A workflow as a list shows it."""
    values: dict[str, Any] = {"id": view.id, "created_position": position}
    fields = [name for name in ListedWorkflow._fields if name not in values]
    return ListedWorkflow(**values, **{name: getattr(view.workflow, name) for name in fields})


def view(name: str, *later: WorkflowEvent, user_id: str = OWNER) -> View:
    """A workflow of this name."""
    history = created(name=name, user_id=user_id), *later
    return View(name, workflow(*history), len(history))


def queries(*views: View, page_size: int = 2) -> Queries:
    return Queries(Views(*views), CURSORS, page_size)


def look_up(asked: Queries, batch: Sequence[Lookup]) -> list[View | Exception]:
    """What a batch of lookups finds."""
    return list(asked.look_up(batch))


def page(asked: Queries, cursor: str = "", filters: Filters | None = None) -> Page | Exception:
    """A page of the owner's list, asked for alone."""
    (answer,) = asked.pages([PageRequest(OWNER, filters or Filters(), cursor)])
    return answer


def names(answer: Page | Exception) -> list[str]:
    """The names on a page."""
    assert isinstance(answer, Page)
    return [workflow.name for workflow in answer.workflows]


def pages(asked: Queries, filters: Filters | None = None) -> list[list[str]]:
    """The names on all pages of the owner's list, by following the cursors."""
    found, cursor, more = [], "", True
    while more:
        answer = page(asked, cursor, filters)
        found.append(names(answer))
        assert isinstance(answer, Page)
        cursor, more = answer.cursor, bool(answer.cursor)
    return found


def not_found(answers: Sequence[View | Exception]) -> list[str]:
    """The ids of what is not found; nothing else is answered."""
    refusals = [answer for answer in answers if isinstance(answer, WorkflowNotFound)]
    assert len(refusals) == len(answers)
    return [refusal.workflow_id for refusal in refusals]


def bad_fields(answer: object) -> list[str]:
    """The fields that a refusal names."""
    assert isinstance(answer, InvalidFields)
    return [violation.field for violation in answer.violations]


ACTIVE = replace(view("active"), id=ID)
ENDED = replace(view("ended", terminated()), id=ID)
DELETED = replace(view("gone", deleted()), id=ID)


@pytest.mark.parametrize("seen", [ACTIVE, ENDED], ids=["active", "terminated"])
def test_an_owner_gets_a_workflow(seen: View) -> None:
    assert look_up(queries(seen), [Lookup.by_owner(ID, OWNER)]) == [seen]


@pytest.mark.parametrize("seen", [ACTIVE, ENDED], ids=["active", "terminated"])
def test_a_service_gets_a_workflow_by_its_id_alone(seen: View) -> None:
    assert look_up(queries(seen), [Lookup.by_service(ID)]) == [seen]


def test_another_users_workflow_is_not_found() -> None:
    assert not_found(look_up(queries(ACTIVE), [Lookup.by_owner(ID, OTHER_USER)])) == [ID]


@pytest.mark.parametrize("views", [[], [DELETED]], ids=["absent", "deleted"])
def test_what_is_not_there_is_not_found_by_its_owner(views: list[View]) -> None:
    assert not_found(look_up(queries(*views), [Lookup.by_owner(ID, OWNER)])) == [ID]


@pytest.mark.parametrize("views", [[], [DELETED]], ids=["absent", "deleted"])
def test_what_is_not_there_is_not_found_by_a_service(views: list[View]) -> None:
    assert not_found(look_up(queries(*views), [Lookup.by_service(ID)])) == [ID]


def test_in_one_batch_each_lookup_gets_its_own_answer() -> None:
    other = replace(view("other", user_id=OTHER_USER), id=OTHER_ID)
    lookups = [
        Lookup.by_owner(OTHER_ID, OTHER_USER),
        Lookup.by_owner(ID, OWNER),
        Lookup.by_service(OTHER_ID),
        Lookup.by_service(ID),
        Lookup.by_owner(ID, OWNER),
    ]
    assert look_up(queries(ACTIVE, other), lookups) == [other, ACTIVE, other, ACTIVE, ACTIVE]


def test_in_one_batch_a_refused_lookup_harms_no_other() -> None:
    answers = look_up(
        queries(ACTIVE),
        [
            Lookup.by_owner(ID, OTHER_USER),
            Lookup.by_owner(ID, OWNER),
            Lookup.by_owner(OTHER_ID, OWNER),
            Lookup.by_service(ID),
        ],
    )
    assert answers[1::2] == [ACTIVE, ACTIVE]
    assert not_found(answers[0::2]) == [ID, OTHER_ID]


def test_one_batch_is_one_query_of_each_workflow_once() -> None:
    views = Views(ACTIVE)
    asked = Queries(views, CURSORS, 2)
    look_up(asked, [Lookup.by_owner(ID, OWNER), Lookup.by_service(OTHER_ID), Lookup.by_service(ID)])
    assert [sorted(ids) for ids in views.asked] == [[ID, OTHER_ID]]


@pytest.mark.parametrize("fault", [StoredDataDamaged("test"), ValueError("unforeseen")])
def test_a_workflow_that_cannot_be_read_harms_no_other(fault: Exception) -> None:
    others = [replace(ACTIVE, id=f"{number}") for number in range(4)]
    views = Views(ACTIVE, *others)
    views.faults = {ID: fault}
    asked = Queries(views, CURSORS, 2)
    found = look_up(asked, [Lookup(each.id, OWNER) for each in (others[0], ACTIVE, *others[1:])])
    assert found.pop(1) is fault
    assert found == others


def test_a_damaged_workflow_is_looked_for_once_and_then_known() -> None:
    views = Views(ACTIVE)
    views.faults = {ID: StoredDataDamaged("test")}
    asked = Queries(views, CURSORS, 2)
    look_up(asked, [Lookup(ID, OWNER)])
    views.asked.clear()
    (known,) = look_up(asked, [Lookup(ID, OWNER)])
    assert isinstance(known, KnownDamage)
    assert views.asked == []


def test_a_lost_store_is_lost_for_every_lookup() -> None:
    views = Views(ACTIVE)
    views.faults = {ID: StoreUnavailable()}
    with pytest.raises(StoreUnavailable):
        look_up(Queries(views, CURSORS, 2), [Lookup(ID, OWNER), Lookup(OTHER_ID, OWNER)])
    assert len(views.asked) == 1


def test_a_large_workflow_is_read_when_the_turn_of_its_lookup_comes() -> None:
    large = replace(view(LARGE), id=OTHER_ID)
    views = Views(ACTIVE, large)
    lookups = [Lookup.by_service(ID), Lookup.by_service(OTHER_ID), Lookup.by_owner(OTHER_ID, OWNER)]
    found = Queries(views, CURSORS, 2).look_up(lookups)
    assert next(found) == ACTIVE
    assert [len(ids) for ids in views.asked] == [2]
    assert [*found] == [large, large]
    assert views.asked[1:] == [{OTHER_ID}, {OTHER_ID}]


def test_a_lookup_by_its_owner_names_all_its_bad_fields() -> None:
    with pytest.raises(InvalidFields) as refusal:
        Lookup.by_owner("?", ANYBODY)
    assert bad_fields(refusal.value) == ["id", "user_id"]


def test_a_lookup_by_a_service_names_a_bad_id() -> None:
    with pytest.raises(InvalidFields) as refusal:
        Lookup.by_service(OTHER_ID.upper())
    assert bad_fields(refusal.value) == ["id"]


def test_list_names_a_bad_cursor() -> None:
    assert bad_fields(page(queries(), GUESSED)) == ["cursor"]


def test_a_list_names_every_bad_field_together() -> None:
    wrong = Filters(query="x" * 256, kind="cron", build_status="done", interval_max=-1)
    assert fields_refused(lambda: PageRequest.checked("", wrong, "x", CATALOGUE)) == [
        "user_id",
        "filters.query",
        "filters.kind",
        "filters.build_status",
        "filters.interval_max",
        "cursor",
    ]


def test_in_one_batch_each_page_is_of_its_own_list() -> None:
    theirs = view("theirs", user_id=OTHER_USER)
    asked = queries(view("1"), theirs, view("2"), view("3"))
    first = page(asked)
    assert isinstance(first, Page)
    answers = asked.pages(
        [
            PageRequest(OWNER, Filters(), first.cursor),
            PageRequest(OTHER_USER, Filters(), ""),
            PageRequest(OWNER, Filters(), ""),
            PageRequest(OWNER, Filters(query="2"), ""),
        ]
    )
    assert [names(answer) for answer in answers] == [["1"], ["theirs"], ["3", "2"], ["2"]]


def test_in_one_batch_a_refused_page_harms_no_other() -> None:
    before, refused, after = queries(view("1")).pages(
        [PageRequest(OWNER, Filters(), cursor) for cursor in ("", GUESSED, "")]
    )
    assert bad_fields(refused) == ["cursor"]
    assert [names(before), names(after)] == [["1"], ["1"]]


def test_a_user_without_workflows_has_one_empty_page() -> None:
    assert pages(queries(view("theirs", user_id=OTHER_USER))) == [[]]


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
def test_pages_go_from_the_newest_to_the_oldest(count: int, expected: list[list[str]]) -> None:
    views = [view(str(number)) for number in range(1, count + 1)]
    assert pages(queries(*views)) == expected


def test_filters_hold_on_every_page() -> None:
    views = [view(f"{word} {n}") for n in range(3) for word in ("day", "night")]
    found = pages(queries(*views), Filters(query="NIGHT"))
    assert found == [["night 2", "night 1"], ["night 0"]]


def test_a_cursor_does_not_serve_another_list() -> None:
    asked = queries(*(view(str(number)) for number in range(3)))
    first = page(asked)
    assert isinstance(first, Page)
    assert bad_fields(page(asked, first.cursor, Filters(query="1"))) == ["cursor"]


def test_a_search_that_is_too_broad_harms_no_other() -> None:
    too_broad, other = queries(view("1")).pages(
        [PageRequest(OWNER, Filters(query=query), "") for query in (TOO_BROAD, "1")]
    )
    assert isinstance(too_broad, SearchTooBroad)
    assert names(other) == ["1"]
