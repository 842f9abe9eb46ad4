"""Lookups that arrive together become one query, and none sees less than it may."""

from collections.abc import Collection, Iterator, Mapping

import pytest

from application.cursors import Cursors
from application.ports import Feed, Slice, StoreUnavailable, View
from application.queries import Lookup, Queries
from domain.errors import WorkflowNotFound
from domain.filters import Filters
from infrastructure.lanes.lane import Lane
from infrastructure.lanes.refusals import CallerLeft
from infrastructure.wiring.lanes import LOOKUPS
from tests.support.callers import Caller, Callers, Hold
from tests.support.given import OTHER_USER, OWNER, created, workflow

Answers = Callers[Lookup, View]

MAX_IDS = 128  # of one query: a workflow may hold a payload of 1 MiB


class Source:
    """WorkflowViews that has every workflow but one; a query waits until it is let go."""

    def __init__(self) -> None:
        self.queries: list[list[str]] = []
        self.fault: Exception | None = None
        self.hold = Hold()

    def get(self, ids: Collection[str]) -> Mapping[str, View]:
        """See WorkflowViews.get."""
        self.queries.append(sorted(ids))
        self.hold.passed()
        if self.fault is not None:
            raise self.fault
        return {id_: view(id_) for id_ in ids if id_ != "missing"}

    def page(
        self, user_id: str, filters: Filters, before: int | None, limit: int, room: int
    ) -> Slice:
        """See WorkflowViews.page."""
        raise NotImplementedError


def view(workflow_id: str) -> View:
    """The owner's workflow of this id."""
    return View(workflow_id, workflow(created(name=workflow_id)), 1)


def lookup(workflow_id: str, user_id: str = OWNER) -> Lookup:
    """A question whose fields were found good."""
    return Lookup(workflow_id, user_id)


@pytest.fixture
def source() -> Source:
    """Views that find workflows at once."""
    return Source()


@pytest.fixture
def callers(source: Source) -> Iterator[Answers]:
    """Those who look something up; in the end all of them were answered once."""
    queries = Queries(source, Cursors(b"secret", lambda: Feed(7)), page_size=2)
    callers: Answers = Callers(Lane("lookups", queries.look_up, LOOKUPS))
    yield callers
    source.hold.open()
    callers.drain()


def under_way(callers: Answers, source: Source, workflow_id: str) -> Caller[Lookup, View]:
    """A lookup whose query has been sent and not been answered."""
    source.hold.close()
    caller = callers.ask(lookup(workflow_id))
    source.hold.wait_for_work()
    return caller


def test_a_lone_lookup_is_a_query_of_its_own(callers: Answers, source: Source) -> None:
    assert callers.ask(lookup("a")).outcome() == view("a")
    assert source.queries == [["a"]]


def test_lookups_made_during_a_query_share_the_next_one(callers: Answers, source: Source) -> None:
    first = under_way(callers, source, "a")
    others = callers.ask_each(lookup("b"), lookup("c"), lookup("b"))
    source.hold.open()
    assert [caller.outcome() for caller in (first, *others)] == [*map(view, ["a", "b", "c", "b"])]
    assert source.queries == [["a"], ["b", "c"]]


def test_what_one_may_not_see_is_not_found_and_is_seen_by_those_beside_it(
    callers: Answers, source: Source
) -> None:
    under_way(callers, source, "a")
    owner, other, missing, service = callers.ask_each(
        lookup("b"), lookup("b", OTHER_USER), lookup("missing"), lookup("b", "")
    )
    source.hold.open()
    assert [owner.outcome(), service.outcome()] == [view("b"), view("b")]
    assert not_found(other) == "b"
    assert not_found(missing) == "missing"
    assert source.queries == [["a"], ["b", "missing"]]


def not_found(caller: Caller[Lookup, View]) -> str:
    """The id in the caller's WorkflowNotFound."""
    refusal = caller.outcome()
    assert isinstance(refusal, WorkflowNotFound)
    return refusal.workflow_id


def test_a_lookup_never_joins_a_query_that_was_sent(callers: Answers, source: Source) -> None:
    first = under_way(callers, source, "a")
    again = callers.ask(lookup("a"))
    source.hold.open()
    assert [first.outcome(), again.outcome()] == [view("a"), view("a")]
    assert source.queries == [["a"], ["a"]]


def test_a_query_asks_for_a_bounded_number_of_workflows(callers: Answers, source: Source) -> None:
    first = under_way(callers, source, "a")
    ids = [f"workflow {n}" for n in range(MAX_IDS + 1)]
    others = callers.ask_each(*map(lookup, ids))
    source.hold.open()
    assert [caller.outcome() for caller in (first, *others)] == [*map(view, ["a", *ids])]
    assert [len(query) for query in source.queries] == [1, MAX_IDS, 1]


def test_a_fault_reaches_all_who_wait_and_nobody_after_them(
    callers: Answers, source: Source
) -> None:
    first = under_way(callers, source, "a")
    others = callers.ask_each(lookup("b"), lookup("c"))
    source.fault = StoreUnavailable("lost")
    source.hold.open()
    assert [caller.outcome() for caller in (first, *others)] == [source.fault] * 3
    source.fault = None
    assert callers.ask(lookup("d")).outcome() == view("d")


def test_a_caller_that_goes_away_harms_nobody(callers: Answers, source: Source) -> None:
    first = under_way(callers, source, "a")
    leaving, staying, alone = callers.ask_each(lookup("b"), lookup("b"), lookup("c"))
    leaving.leave()
    alone.leave()
    source.hold.open()
    assert [first.outcome(), staying.outcome()] == [view("a"), view("b")]
    assert [type(caller.outcome()) for caller in (leaving, alone)] == [CallerLeft, CallerLeft]
    assert source.queries == [["a"], ["b"]]
