"""The hub of watches: signs of life, slow clients, bounds, other epochs, damage and erasures."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from workflows import history_pb2 as pb

from application.draft import Submission
from application.erasure import EraseUser
from application.handler import CommandHandler
from application.ports import Feed, Origin, StoredDataDamaged
from application.watches import (
    FeedReplaced,
    TooManyWatches,
    WatchCursors,
    WatchFilter,
    WatchRequest,
    WatchTooSlow,
)
from infrastructure.eventstore.erasure import PostgresErasures
from infrastructure.eventstore.erasure_marks import PostgresErasureMarks
from infrastructure.eventstore.feed import PostgresFeed
from infrastructure.eventstore.horizon import begin_epoch
from infrastructure.eventstore.records import PostgresRecords, configure_histories
from infrastructure.postgres.connection import connect
from infrastructure.postgres.session import Session
from infrastructure.proof.signed import FolderLogs
from infrastructure.rpc.history.watch import shown
from infrastructure.watching import hub as hubs
from infrastructure.watching import watch as watches
from infrastructure.watching.hub import Hub
from infrastructure.watching.selection import Selection
from infrastructure.watching.watch import Watch
from tests.support.database import execute
from tests.support.given import create
from tests.support.stores import DIGESTS, OpenStore, open_store
from tests.support.waiting import until

CURSORS = WatchCursors(b"secret")
PATIENCE = 0.3  # seconds
ORIGIN = Origin("anonymous", "r-1")


@dataclass
class Client:
    """A client that takes only when the test says so."""

    hub: Hub
    user: str = ""
    share: str = "me"
    cursor: str = ""
    events: list[pb.Event] = field(default_factory=list)
    signs: list[int] = field(default_factory=list)
    ended: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        wanted = WatchFilter(self.user)
        self.watch = Watch(wanted, lambda: None, self.ended.append)
        self.hub.join(self.watch, WatchRequest(wanted, 0, self.cursor), self.share)

    def take(self) -> bool:
        """Takes what waits; returns whether anything did."""
        parcel = self.watch.take()
        if parcel is None:
            return False
        found = pb.WatchEventsResponse.FromString(parcel.event).events
        self.events += found
        if not found:
            self.signs.append(parcel.position)
        return True

    def until_event(self, position: int) -> list[int]:
        """Takes until the event at a position came; returns the positions of all."""
        until(lambda: self.take() and self.events and self.events[-1].position == position)
        return [event.position for event in self.events]


@dataclass
class Watched:
    """A store, and the hub that serves the watches on it."""

    open: OpenStore
    hub: Hub

    def record(self, count: int, user: str = "ann") -> None:
        """Creates so many workflows of a user."""
        handler = CommandHandler(self.open.store, DIGESTS)
        commands = [create(id=str(uuid4()), user_id=user) for _ in range(count)]
        handler.handle([Submission(command, ORIGIN) for command in commands])


@pytest.fixture
def watched(database: str) -> Iterator[Watched]:
    reading, looking = Session(database), Session(database, greet=configure_histories)
    with closing(reading), closing(looking), open_store(database) as store:
        feed, records = PostgresFeed(reading), PostgresRecords(looking)
        selection = Selection(feed, records, FolderLogs(None), shown)
        hub = Hub(feed, PostgresErasureMarks(reading), selection, CURSORS, PATIENCE)
        hub.start()
        yield Watched(store, hub)
        hub.stop(5)


def test_a_quiet_watch_is_told_how_far_it_has_come(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "SIGN_EVERY", 0.01)
    watched.record(2, "bob")
    client = Client(watched.hub, user="ann")
    until(lambda: client.take() and client.signs[-1] == 2)
    watched.record(3, "bob")
    until(lambda: client.take() and client.signs[-1] == 5)
    assert client.events == []


def test_a_client_that_takes_nothing_is_ended_and_resumes_where_it_was(watched: Watched) -> None:
    watched.record(3)
    slow, quick = Client(watched.hub), Client(watched.hub)
    slow.until_event(3)
    quick.until_event(3)
    watched.record(4)
    assert quick.until_event(7) == list(range(1, 8)), "others see all meanwhile"
    until(lambda: slow.ended)
    [reason] = slow.ended
    assert isinstance(reason, WatchTooSlow)
    assert not slow.take(), "nothing follows the end"
    assert Client(watched.hub, cursor=reason.cursor).until_event(7) == [4, 5, 6, 7]


def test_a_client_that_falls_far_behind_is_ended(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LAG", 5)
    monkeypatch.setattr(watches, "COUNT", 2)
    client = Client(watched.hub)
    until(lambda: client.take() and client.watch.is_live)
    watched.record(20)
    until(lambda: client.ended)
    assert isinstance(client.ended[0], WatchTooSlow)


def test_watches_are_bounded_for_a_caller_and_in_all(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched.hub._members, "_limit", 3)
    monkeypatch.setattr(watched.hub._members, "_share", 2)
    mine = [Client(watched.hub, share="me") for _ in range(2)]
    with pytest.raises(TooManyWatches):
        Client(watched.hub, share="me")
    Client(watched.hub, share="you")
    with pytest.raises(TooManyWatches):
        Client(watched.hub, share="they")
    watched.hub.leave(mine[0].watch)
    Client(watched.hub, share="they")


def test_a_new_epoch_ends_watches_and_their_cursors(watched: Watched, database: str) -> None:
    watched.record(1)
    client = Client(watched.hub)
    client.until_event(1)
    feed = Feed(watched.open.store.current_feed.epoch)
    cursor = CURSORS.write(client.watch.filter.question, feed, 1)
    with closing(connect(database)) as connection:
        begin_epoch(connection)
    until(lambda: client.ended)
    assert isinstance(client.ended[0], FeedReplaced)
    resumed = Client(watched.hub, cursor=cursor)
    until(lambda: resumed.ended)
    assert "restored or replaced" in str(resumed.ended[0])


@pytest.mark.parametrize(
    "damage", ["SET content = content || ' '", "SET notification_id = 9"], ids=["altered", "gap"]
)
def test_a_damaged_event_ends_a_watch_after_all_before_it(
    watched: Watched, database: str, damage: str
) -> None:
    watched.record(4)
    execute(database, f"UPDATE workflow_events {damage} WHERE notification_id = 3")
    client = Client(watched.hub)
    assert client.until_event(2) == [1, 2]
    until(lambda: client.take() or client.ended)
    assert isinstance(client.ended[0], StoredDataDamaged)


def test_what_was_erased_is_sent_to_nobody_afterwards(watched: Watched, database: str) -> None:
    client = Client(watched.hub)
    until(client.take)
    watched.record(2, "bob")
    until(lambda: client.watch.position == 2)  # Both wait in memory for the client.
    erasures, receipt_id = PostgresErasures(database), str(uuid4())
    erasures.begin(receipt_id, EraseUser("bob", "asked for it", "GDPR Art. 17(1)(a)"), "admin")
    erasures.forget(receipt_id)
    until(lambda: _seen_anew(watched.hub))
    client.until_event(2)
    assert [event.HasField("erased") for event in client.events] == [True, True]


def _seen_anew(hub: Hub) -> bool:
    """Whether the hub has looked at the feed since, and shows nothing of the content."""
    client = Client(hub)
    client.until_event(2)
    hub.leave(client.watch)
    return all(event.HasField("erased") for event in client.events)
