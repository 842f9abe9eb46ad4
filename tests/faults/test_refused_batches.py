"""What the database refuses in a batch harms nobody else in it, whatever else goes wrong."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from uuid import UUID

import pytest

from application.draft import Done
from application.ports import (
    AppendRefused,
    Change,
    EventStore,
    Feed,
    LedgerKey,
    Loaded,
    OutcomeUnknown,
    StoreUnavailable,
)
from tests.faults.writers import Writer, event_store, writer
from tests.support.database import execute, select, value
from tests.support.given import ID, create, increment, update
from tests.support.records import assert_consistent, events_of

POISONED = "0199b6f2-7a3c-7d4e-8f50-0000000000ff"
KEYS = "SELECT count(*) FROM command_ledger"
MEBIBYTE = 1024 * 1024


def numbered(number: int) -> str:
    """The id of a workflow among many."""
    return str(UUID(int=UUID(ID).int + number))


@pytest.fixture
def poisoned(database: str) -> Iterator[str]:
    """The DSN of a database that refuses every event of one workflow."""
    execute(
        database,
        f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'poison'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON workflow_events FOR EACH ROW
        WHEN (NEW.originator_id = '{POISONED}') EXECUTE FUNCTION refuse();
        """,
    )
    yield database
    execute(database, "DROP FUNCTION refuse CASCADE")


class FailingLater:
    """An event store that is lost at one of its appends."""

    def __init__(self, store: EventStore, append: int, fault: Exception) -> None:
        self._store = store
        self._until = append
        self._fault = fault

    @property
    def current_feed(self) -> Feed:
        """As the store."""
        return self._store.current_feed

    def load(self, ids: Collection[str], keys: Collection[LedgerKey]) -> Loaded:
        """As the store."""
        return self._store.load(ids, keys)

    def append(self, changes: Sequence[Change]) -> Mapping[str, int]:
        """As the store, but for the one."""
        self._until -= 1
        if self._until == 0:
            raise self._fault
        return self._store.append(changes)


@pytest.mark.parametrize("place", [0, 7, 19])
def test_a_poisoned_command_fails_alone(poisoned: str, place: int) -> None:
    ids = [numbered(number) for number in range(20)]
    ids[place] = POISONED
    with writer(poisoned) as commands:
        outcomes = commands.write(*(create(id=i, idempotency_key=i) for i in ids))
    refused = outcomes[place]
    assert isinstance(refused, AppendRefused)
    others = [o for o in outcomes if isinstance(o, Done)]
    assert sorted(done.position for done in others) == list(range(1, 20))
    assert events_of(poisoned, POISONED) == []
    assert value(poisoned, KEYS) == 19
    assert_consistent(poisoned)


def test_a_poisoned_command_does_not_undo_what_went_before_it_on_its_workflow(
    poisoned: str,
) -> None:
    with writer(poisoned) as commands:
        created, refused, counted = commands.write(create(), create(id=POISONED), increment())
    assert isinstance(created, Done)
    assert isinstance(refused, AppendRefused)
    assert isinstance(counted, Done)
    assert counted.version == 2
    assert_consistent(poisoned)


@pytest.mark.parametrize("fault", [StoreUnavailable("lost"), OutcomeUnknown("lost")], ids=type)
def test_what_was_recorded_of_a_split_batch_is_not_reported_as_failed(
    poisoned: str, fault: Exception
) -> None:
    ids = [numbered(0), numbered(1), POISONED, numbered(2)]
    with event_store(poisoned) as store:
        # The first append is of all and refused, the second of one half, the third of the other.
        commands = Writer(FailingLater(store, 3, fault))
        outcomes = commands.write(*(create(id=i) for i in ids))
    recorded = {i for i in ids if events_of(poisoned, i)}
    assert recorded == {numbered(0), numbered(1)}
    assert {i for i, o in zip(ids, outcomes, strict=True) if isinstance(o, Done)} == recorded


def test_large_payloads_of_one_batch_are_all_recorded(database: str) -> None:
    payload = '{"url": "https://example.com/hook", "body": "' + '\\"' * (MEBIBYTE // 4) + '"}'
    with writer(database) as commands:
        outcomes = commands.done(
            *(create(id=numbered(number), payload=payload) for number in range(12))
        )
    assert [done.position for done in outcomes] == list(range(1, 13))
    assert select(database, "SELECT DISTINCT length(payload) FROM workflows") == [(len(payload),)]
    assert_consistent(database)


def test_a_key_is_remembered_if_the_row_of_its_workflow_was_missing(database: str) -> None:
    with writer(database) as commands:
        commands.done(create())
        execute(database, "TRUNCATE workflows")
        (first,) = commands.done(update(idempotency_key="k"))
        (again,) = commands.done(update(idempotency_key="k"))
    assert not first.replayed
    assert again.replayed
    assert value(database, KEYS) == 1
