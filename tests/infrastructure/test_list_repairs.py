"""Lists restore rows that are lost or outdated, and answer around workflows that are damaged."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from uuid import UUID

import pytest

from application.draft import Done, Submission
from application.handler import CommandHandler
from application.ports import Origin, Slice, StoreUnavailable
from domain.commands import Command
from domain.filters import Filters
from infrastructure.postgres.session import Session
from infrastructure.readmodel import repairs
from infrastructure.readmodel.rows import ROW_SHAPE, STATE_COLUMNS
from infrastructure.readmodel.views import PostgresViews
from tests.support.database import execute, select, value
from tests.support.given import ID, OWNER, create, update
from tests.support.stores import DIGESTS, OpenStore, open_store

IDS = [str(UUID(int=UUID(ID).int + number)) for number in range(8)]
WHOLE = f"SELECT id, {STATE_COLUMNS}, version, created_position, digest FROM workflows ORDER BY id"
ROOM = 1_000_000
ALL = Filters()


@pytest.fixture
def store(database: str) -> Iterator[OpenStore]:
    """A store with eight workflows of one owner, the last of which was renamed."""
    with open_store(database) as opened:
        write(opened, *(create(id=i, name=f"report {n}") for n, i in enumerate(IDS)))
        write(opened, update(id=IDS[7], name="ledger"))
        yield opened


def write(store: OpenStore, *commands: Command) -> None:
    """Has commands done."""
    submissions = [Submission(command, Origin("test", "")) for command in commands]
    for outcome in CommandHandler(store.store, DIGESTS).handle(submissions):
        assert isinstance(outcome, Done)


def listed(
    store: OpenStore, filters: Filters = ALL, before: int | None = None, limit: int = 10
) -> Slice:
    """A page of the owner's list."""
    with closing(Session(store.dsn)) as session:
        return PostgresViews(session, store.store).page(OWNER, filters, before, limit, ROOM)


def names(found: Slice) -> Sequence[str]:
    """The names on a page."""
    return [workflow.name for workflow in found.workflows]


NAMES = ["ledger", *(f"report {number}" for number in range(6, -1, -1))]
SPOILT = {
    "one row is gone": f"DELETE FROM workflows WHERE id = '{IDS[7]}'",
    "all rows are gone": "DELETE FROM workflows",
    "the table was emptied": "TRUNCATE workflows",
    "rows of another shape": f"UPDATE workflows SET shape = {ROW_SHAPE ^ 1}, name = 'wrong'",
    "a row behind its events": f"UPDATE workflows SET version = 1, name = 'wrong'"
    f" WHERE id = '{IDS[7]}'",
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_list_shows_what_the_events_say_and_restores_the_rows(
    store: OpenStore, spoil: str
) -> None:
    whole = select(store.dsn, WHOLE)
    execute(store.dsn, spoil)
    assert names(listed(store)) == NAMES
    assert select(store.dsn, WHOLE) == whole
    assert value(store.dsn, "SELECT count(*) FROM lost_rows") == 0


@pytest.mark.parametrize("query", ["ledger", "dg"])
def test_a_search_finds_a_workflow_whose_row_was_gone(store: OpenStore, query: str) -> None:
    execute(store.dsn, SPOILT["one row is gone"])
    assert names(listed(store, Filters(query=query))) == ["ledger"]


def test_a_row_that_is_restored_in_another_way_is_lost_no_more(store: OpenStore) -> None:
    execute(store.dsn, "DELETE FROM workflows")
    store.store.load(IDS, ())
    assert value(store.dsn, "SELECT count(*) FROM lost_rows") == 0


def test_what_was_forgotten_is_not_missed(store: OpenStore) -> None:
    execute(store.dsn, f"DELETE FROM workflows WHERE id = '{IDS[0]}'")
    for workflow_id in IDS[:2]:
        store.forget(workflow_id, 1)
    assert names(listed(store)) == NAMES[:-2]
    assert value(store.dsn, "SELECT count(*) FROM lost_rows") == 0


def test_more_than_one_call_can_restore_are_restored_by_the_next(
    store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairs, "WITHIN", -1.0)
    monkeypatch.setattr(repairs, "_LOST", repairs._LOST.replace("LIMIT 100", "LIMIT 4"))
    execute(store.dsn, "DELETE FROM workflows")
    with pytest.raises(StoreUnavailable):
        listed(store)
    assert names(listed(store)) == NAMES


def damage(store: OpenStore, *numbers: int) -> None:
    """Puts a value into rows that no client can be told."""
    for number in numbers:
        execute(
            store.dsn, f"UPDATE workflows SET updated_at = 'infinity' WHERE id = '{IDS[number]}'"
        )


@pytest.mark.parametrize("query", ["", "report"])
@pytest.mark.parametrize("numbers", [[6], [5, 3], [0], [0, 1, 2, 3, 4, 5, 6]], ids=str)
def test_damaged_workflows_are_named_and_the_others_listed(
    store: OpenStore, query: str, numbers: list[int]
) -> None:
    damage(store, *numbers)
    found = listed(store, Filters(query=query))
    whole = [name for name in NAMES if query in name]
    assert names(found) == [name for name in whole if not name.endswith(tuple(map(str, numbers)))]
    assert sorted(found.unreadable) == [IDS[number] for number in sorted(numbers)]


def test_pages_go_on_behind_damaged_workflows(store: OpenStore) -> None:
    damage(store, 6, 5, 4, 1)
    shown: list[str] = []
    unreadable: list[str] = []
    before = None
    while True:
        found = listed(store, before=before, limit=2)
        shown += names(found)
        unreadable += found.unreadable
        if (before := found.end) is None:
            break
    assert shown == ["ledger", "report 3", "report 2", "report 0"]
    assert unreadable == [IDS[6], IDS[5], IDS[4], IDS[1]]


def test_a_page_of_what_is_left_has_room_for_no_more_bytes_than_another(store: OpenStore) -> None:
    damage(store, 6)
    with closing(Session(store.dsn)) as session:
        found = PostgresViews(session, store.store).page(OWNER, ALL, None, 10, 1000)
    assert names(found) == ["ledger", "report 5", "report 4"]
    assert found.end == found.workflows[-1].created_position


def test_a_lost_row_whose_events_are_damaged_is_named(store: OpenStore) -> None:
    execute(store.dsn, f"UPDATE workflow_events SET topic = 'x' WHERE originator_id = '{IDS[2]}'")
    execute(store.dsn, "DELETE FROM workflows")
    found = listed(store)
    assert names(found) == [name for name in NAMES if name != "report 2"]
    assert found.unreadable == [IDS[2]]
