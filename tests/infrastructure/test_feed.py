"""The feed: every event in order, and nothing missing without a word."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from application.draft import Submission
from application.handler import CommandHandler
from application.ports import Origin, StoredDataDamaged, StoreUnavailable
from domain.commands import Command
from infrastructure.eventstore.feed import PostgresFeed
from infrastructure.postgres.session import Session
from tests.support.database import execute
from tests.support.given import ID, OTHER_ID, create, created, increment, update
from tests.support.stores import DIGESTS, OpenStore, open_store

ORIGIN = Origin("gateway", "req", "trace")
LARGE = '{"url": "https://example.com/", "body": "' + "x" * 100_000 + '"}'


@pytest.fixture
def store(database: str) -> Iterator[OpenStore]:
    with open_store(database) as opened:
        yield opened


@pytest.fixture
def feed(database: str) -> Iterator[PostgresFeed]:
    with closing(Session(database)) as session:
        yield PostgresFeed(session)


def write(store: OpenStore, count: int = 4) -> None:
    """Events of two workflows at the positions 1 to `count`."""
    commands: list[Command] = [create(id=ID), create(id=OTHER_ID)]
    commands += [increment(id=(ID, OTHER_ID)[n % 2], job_id=f"job {n}") for n in range(count - 2)]
    CommandHandler(store.store, DIGESTS).handle([Submission(c, ORIGIN) for c in commands])


def positions(
    feed: PostgresFeed, after: int, limit: int = 1000, room: int = 1_000_000
) -> list[int]:
    return [e.position for e in feed.read(after, limit=limit, room=room).events]


def test_events_come_in_the_order_of_positions(store: OpenStore, feed: PostgresFeed) -> None:
    write(store, 6)
    batch = feed.read(0)
    assert [event.position for event in batch.events] == [1, 2, 3, 4, 5, 6]
    assert {event.workflow_id for event in batch.events} == {ID, OTHER_ID}
    assert (batch.position, batch.behind) == (6, 0)
    assert batch.end == feed.end() == (store.store.current_feed, 6)


def test_a_batch_is_bounded_in_number(store: OpenStore, feed: PostgresFeed) -> None:
    write(store, 6)
    batch = feed.read(2, limit=3)
    assert [event.position for event in batch.events] == [3, 4, 5]
    assert (batch.position, batch.behind) == (5, 1)


def test_a_batch_is_bounded_in_bytes_and_holds_at_least_one_event(
    store: OpenStore, feed: PostgresFeed
) -> None:
    large: list[Command] = [create(id=ID), create(id=OTHER_ID), update(id=ID, payload=LARGE)]
    CommandHandler(store.store, DIGESTS).handle([Submission(c, ORIGIN) for c in large])
    assert positions(feed, 0, room=50_000) == [1]
    assert positions(feed, 1, room=50_000) == [2]  # The large one.
    assert positions(feed, 2, room=50_000) == [3]


def test_an_event_is_decoded_as_it_was_recorded(store: OpenStore, feed: PostgresFeed) -> None:
    write(store)
    first = feed.read(0, limit=1).events[0]
    recorded = feed.decode(first)
    assert (recorded.workflow_id, recorded.version, recorded.position) == (ID, 1, 1)
    assert recorded.event == created()
    assert recorded == next(store.log.history(ID))


def test_what_was_erased_is_read_as_erased(store: OpenStore, feed: PostgresFeed) -> None:
    write(store)
    store.forget(ID, 1)
    first, *others = feed.read(0).events
    assert (first.salt, first.content) == (None, None)
    assert all(event.content for event in others)


def test_without_content_only_the_chained_bytes_are_read(
    store: OpenStore, feed: PostgresFeed
) -> None:
    write(store)
    bare = feed.read(0, content=False)
    whole = feed.read(0)
    assert [event.state for event in bare.events] == [event.state for event in whole.events]
    assert not any(event.salt or event.content for event in bare.events)


@pytest.mark.parametrize("lost", [1, 3])
def test_a_missing_position_is_damage(store: OpenStore, feed: PostgresFeed, lost: int) -> None:
    write(store, 5)
    execute(store.dsn, f"DELETE FROM workflow_events WHERE notification_id = {lost}")
    with pytest.raises(StoredDataDamaged, match=f"no event at position {lost},"):
        feed.read(0)


def test_positions_missing_after_a_batch_are_damage(store: OpenStore, feed: PostgresFeed) -> None:
    write(store, 6)
    execute(store.dsn, "DELETE FROM workflow_events WHERE notification_id IN (3, 4)")
    assert positions(feed, 0, limit=2) == [1, 2]
    with pytest.raises(StoredDataDamaged, match="no event at position 3,"):
        feed.read(2, limit=2)


@pytest.mark.parametrize("after", [0x7FFF - 1, 0x7FFF_FFFF - 1])
def test_positions_are_as_large_as_they_come(
    store: OpenStore, feed: PostgresFeed, after: int
) -> None:
    write(store, 3)
    execute(store.dsn, f"UPDATE workflow_events SET notification_id = notification_id + {after}")
    assert positions(feed, after) == [after + 1, after + 2, after + 3]


def test_a_feed_that_ends_before_where_it_was_read_is_refused(
    store: OpenStore, feed: PostgresFeed
) -> None:
    write(store, 4)
    with pytest.raises(StoreUnavailable) as refused:
        feed.read(5)
    assert refused.value.reason == "STORE_WOUND_BACK"
