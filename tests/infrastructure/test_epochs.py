"""A database that lost what a server has seen is refused until an operator begins a new epoch."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from application.draft import Done
from application.handler import CommandHandler
from application.ports import Feed, StoreUnavailable
from infrastructure.eventstore.horizon import Horizon
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.eventstore.store import PostgresEventStore
from infrastructure.postgres.session import Session
from tests.application.conftest import handle
from tests.support.command_line import workflows
from tests.support.database import execute, value
from tests.support.given import ID, OTHER_ID, create, increment
from tests.support.stores import DIGESTS

LOSE_THE_LAST = "DELETE FROM workflow_events WHERE notification_id = 2; DELETE FROM workflows"


class Server:
    """The write road of one server process."""

    def __init__(self, dsn: str) -> None:
        self.horizon = Horizon()
        self.session = Session(dsn, greet=self.horizon.look)
        self.log = WorkflowLog(dsn)
        store = PostgresEventStore(self.session, self.log, lambda: datetime.now(UTC), self.horizon)
        self.handler = CommandHandler(store, DIGESTS)

    def close(self) -> None:
        self.session.close()
        self.log.close()


@pytest.fixture
def server(database: str) -> Iterator[Server]:
    """A server that has seen position 2."""
    with closing(Server(database)) as server:
        handle(server.handler, create(), create(id=OTHER_ID))
        yield server


def epoch(dsn: str) -> int:
    return int(value(dsn, "SELECT epoch FROM feed_epoch"))


def test_a_position_says_what_it_counts_in(server: Server, database: str) -> None:
    (done,) = handle(server.handler, increment())
    assert isinstance(done, Done)
    assert (done.position, done.feed) == (3, Feed(epoch(database)))


@pytest.mark.parametrize("reconnects", [False, True], ids=["same connection", "new connection"])
def test_a_database_that_lost_what_was_seen_is_refused(
    server: Server,
    database: str,
    reconnects: bool,
) -> None:
    execute(database, LOSE_THE_LAST)
    if reconnects:
        server.session.close()
    (refused,) = handle(server.handler, create(id=OTHER_ID))
    assert isinstance(refused, StoreUnavailable)
    assert (refused.reason, refused.retry) == ("STORE_WOUND_BACK", False)
    assert "workflows epoch new" in refused.why
    assert value(database, "SELECT count(*) FROM workflow_events") == 1


def test_a_new_epoch_makes_the_same_database_welcome(server: Server, database: str) -> None:
    before = epoch(database)
    execute(database, LOSE_THE_LAST)
    result = workflows("epoch", "new", "--database-url", database, "--json")
    assert result.exit_code == 0, result.output
    began = json.loads(result.stdout)
    assert began == {"epoch": epoch(database), "feed": f"0/{epoch(database)}"}
    assert began["epoch"] > before
    (done,) = handle(server.handler, increment(id=ID))
    assert isinstance(done, Done)
    assert (done.position, done.feed.epoch) == (2, began["epoch"])


def test_a_server_that_saw_nothing_yet_takes_a_database_as_it_is(database: str) -> None:
    with closing(Server(database)) as server:
        server.session.connection()
        assert server.horizon.feed == Feed(epoch(database))
