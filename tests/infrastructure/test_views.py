"""Pages of lists on PostgreSQL: how a page is cut, and the limit of a search."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from application.ports import (
    OTHER_BYTES,
    UNREAD,
    SearchTooBroad,
    Slice,
    StoreUnavailable,
    View,
)
from domain.filters import Filters
from infrastructure.postgres.session import Session
from infrastructure.readmodel import lists
from infrastructure.readmodel.pages import configure_lists
from infrastructure.readmodel.rows import ROW_SHAPE
from infrastructure.readmodel.views import READ_TOGETHER, PostgresViews
from tests.support.database import execute
from tests.support.memory import MemoryEventStore

USER = "lister"
ROOM = 3000  # bytes: small enough for the test to fill, large enough for several
_INSERT = """
    INSERT INTO workflows (
        id, user_id, name, name_folded, payload, kind, interval_minutes, max_failures,
        log_retention, build_status, failures, generation, created_at, updated_at, version,
        position, created_position, digest, shape
    ) VALUES (
        '{id}', '{user}', '{name}', lower('{name}'), repeat('x', {size}), 'http', 1, 3, false,
        'pending', 0, 1, now(), now(), 1, {position}, {position}, '', {shape}
    )
"""

_INSERT_MANY = f"""
    INSERT INTO workflows (
        id, user_id, name, name_folded, payload, kind, interval_minutes, max_failures,
        log_retention, build_status, failures, generation, created_at, updated_at, version,
        position, created_position, digest, shape
    ) SELECT gen_random_uuid(), '{USER}', n, n, '{{}}', 'http', 1, 3, false, 'pending', 0, 1,
             now(), now(), 1, n, n, '', {ROW_SHAPE}
      FROM generate_series(1, 1000) AS n
"""


@pytest.fixture
def session(database: str) -> Iterator[Session]:
    """A session on a database of the test's own."""
    session = Session(database)
    yield session
    session.close()


def fill(database: str, *workflows: str | tuple[str, int], user: str = USER) -> None:
    """Workflows by name, or by name and size of their payload, oldest first."""
    for position, workflow in enumerate(workflows, 1):
        name, size = (workflow, 2) if isinstance(workflow, str) else workflow
        statement = _INSERT.format(
            id=UUID(int=position), user=user, name=name, size=size, position=position,
            shape=ROW_SHAPE,
        )  # fmt: skip
        execute(database, statement)


def page(
    session: Session, query: str = "", limit: int = 10, before: int | None = None
) -> tuple[list[str], bool]:
    """The names on a page, and whether others follow."""
    views = PostgresViews(session, MemoryEventStore())
    found: Slice = views.page(USER, Filters(query=query), before, limit, ROOM)
    return [workflow.name for workflow in found.workflows], found.end is not None


def room_for(name: str) -> int:
    """The largest payload of a workflow of this name that leaves no room beside it."""
    return ROOM - OTHER_BYTES - len(name.encode())


SIZES: dict[str, tuple[list[str | tuple[str, int]], list[str], bool]] = {
    "nothing": ([], [], False),
    "as many as a page holds": (["a", "b"], ["b", "a"], False),
    "one more than a page holds": (["a", "b", "c"], ["c", "b"], True),
    "two that fill the room": ([("a", 3), ("b", ROOM - 2 * OTHER_BYTES - 5)], ["b", "a"], False),
    "two that overfill the room": ([("a", 4), ("b", ROOM - 2 * OTHER_BYTES - 5)], ["b"], True),
    "names that overfill the room": ([("ä", 3), ("b", ROOM - 2 * OTHER_BYTES - 5)], ["b"], True),
    "one that is too large": ([("a", 2), ("b", 2 * ROOM)], ["b"], True),
    "one too large behind a small one": ([("a", 2 * ROOM), "b"], ["b"], True),
}


@pytest.mark.parametrize(("given", "shown", "more"), SIZES.values(), ids=SIZES)
def test_a_page_ends_with_its_number_or_its_bytes(
    database: str,
    session: Session,
    given: list[str | tuple[str, int]],
    shown: list[str],
    more: bool,
) -> None:
    fill(database, *given)
    assert page(session, limit=2) == (shown, more)


def test_a_page_goes_on_before_a_position(database: str, session: Session) -> None:
    fill(database, "a", "b", "c")
    assert page(session, before=3) == (["b", "a"], False)


SEARCHES: dict[str, tuple[str, list[str], bool]] = {
    "a part that is common": ("report", ["report 6", "report 5"], True),
    "a part of two characters that is common": ("re", ["report 6", "report 5"], True),
    "a part that only old ones have": ("ledger", ["ledger"], False),
    "a part that none has": ("nowhere", [], False),
}
NAMES = ["ledger", *(f"report {n}" for n in range(1, 7))]


@pytest.mark.parametrize(("query", "shown", "more"), SEARCHES.values(), ids=SEARCHES)
def test_a_search_finds_what_the_walk_does_not_reach(
    database: str,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    query: str,
    shown: list[str],
    more: bool,
) -> None:
    monkeypatch.setattr(lists, "WALKED", 3)
    fill(database, *NAMES)
    assert page(session, query, limit=2) == (shown, more)


def test_two_characters_are_looked_for_as_far_as_the_walk_goes_and_not_beyond(
    database: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database, *NAMES)
    monkeypatch.setattr(lists, "WALKED_WITHOUT_INDEX", len(NAMES))
    assert page(session, "dg") == (["ledger"], False)
    monkeypatch.setattr(lists, "WALKED_WITHOUT_INDEX", len(NAMES) - 1)
    with pytest.raises(SearchTooBroad):
        page(session, "dg")
    assert page(session, "dg", before=len(NAMES)) == (["ledger"], False)


def test_a_list_that_takes_too_long_is_too_broad_if_it_has_filters(
    database: str, session: Session
) -> None:
    fill(database, "a")
    session.connection().execute("SET statement_timeout = '20ms'")
    with Session(database).connection() as other, other.transaction():
        other.execute("LOCK TABLE workflows")
        with pytest.raises(SearchTooBroad):
            page(session, "long")
        with pytest.raises(StoreUnavailable):
            page(session)


def test_workflows_that_are_large_are_read_alone(database: str, session: Session) -> None:
    fill(database, ("small", READ_TOGETHER), ("large", READ_TOGETHER + 1))
    views = PostgresViews(session, MemoryEventStore())
    small, large = str(UUID(int=1)), str(UUID(int=2))
    together = views.get({small, large, str(UUID(int=3))})
    assert together.keys() == {small, large}
    assert together[large] is UNREAD
    for workflow_id, name in ((small, "small"), (large, "large")):
        alone = views.get({workflow_id})[workflow_id]
        assert isinstance(alone, View)
        assert alone.workflow.name == name
    assert together[small] == views.get({small})[small]


def test_a_list_without_filters_walks_its_index_though_nothing_is_known_of_the_table(
    database: str, session: Session
) -> None:
    execute(database, _INSERT_MANY)
    configure_lists(session.connection())
    statement, parameters = lists.ListStatements(USER, Filters(), None, 50, ROOM).page
    explain = f"EXPLAIN {statement}".encode()
    plan = str(session.connection().execute(explain, parameters).fetchall())
    assert "workflows_newest" in plan
    assert "Sort  (" not in plan
    assert page(session, query="99", limit=2) == (["999", "998"], True)
