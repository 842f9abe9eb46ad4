"""The rows are made anew from the events while a server goes on: nothing is lost or stale."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from threading import Event, Thread
from uuid import uuid4

import psycopg
import pytest

from application.draft import Done
from application.handler import CommandHandler
from application.ports import View
from application.progress import Progress
from application.rebuild import Rebuilt, rebuild
from infrastructure.eventstore.horizon import Horizon
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.eventstore.store import PostgresEventStore
from infrastructure.postgres.session import Session
from infrastructure.readmodel.rebuilding import PostgresShadowTable
from infrastructure.readmodel.refolding import fold_names_again
from infrastructure.readmodel.shadow import RebuildRefused, claim
from infrastructure.readmodel.views import PostgresViews
from tests.application.conftest import handle
from tests.support.command_line import answer, refusal
from tests.support.database import execute, select, value
from tests.support.given import ID, OTHER_ID, create, delete, increment, update
from tests.support.records import assert_consistent
from tests.support.stores import DIGESTS, OpenStore, open_store

SHAPE_OF_THE_TABLE = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = 'workflows'::regclass
    UNION ALL
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = 'workflows'::regclass
    UNION ALL
    SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'workflows'::regclass
    UNION ALL
    SELECT attname, format_type(atttypid, atttypmod) || attnotnull || attcollation
        || coalesce(col_description(attrelid, attnum), '')
    FROM pg_attribute WHERE attrelid = 'workflows'::regclass AND attnum > 0
    UNION ALL
    SELECT relname, concat(relowner::regrole, reloptions, relacl) FROM pg_class
    WHERE oid = 'workflows'::regclass
    ORDER BY 1, 2
"""


class Interrupted(Exception):
    """Ends a rebuild as a kill would: what was not committed is lost."""


@pytest.fixture
def store(database: str) -> Iterator[OpenStore]:
    """A store with workflows of several kinds of lives."""
    with open_store(database) as opened:
        handler = CommandHandler(opened.store, DIGESTS)
        others = [create(id=str(uuid4()), user_id=f"user-{n % 3}") for n in range(40)]
        handle(handler, create(), create(id=OTHER_ID), *others)
        handle(handler, *[increment(id=other.id) for other in others[:20]], update(name="hourly"))
        handle(handler, *[delete(id=o.id, user_id=o.user_id) for o in others[:5]])
        yield opened


@contextmanager
def session(dsn: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        yield connection


def rebuilt(dsn: str, stop_in: str = "", seen: list[str] | None = None) -> Rebuilt:
    """A rebuild, which is interrupted when it reports this step."""

    def report(progress: Progress) -> None:
        if seen is not None:
            seen.append(progress.step)
        if stop_in and progress.step.startswith(stop_in):
            raise Interrupted

    with session(dsn) as connection:
        claim(connection)
        return rebuild(PostgresShadowTable(connection), report)


def test_it_says_what_differed_and_serves_the_fold(store: OpenStore, database: str) -> None:
    execute(database, "GRANT SELECT ON workflows TO PUBLIC")
    execute(database, "GRANT SELECT, INSERT ON workflows TO pg_monitor WITH GRANT OPTION")
    fold_names_again(database)  # It names today's folding, as a rebuild does.
    before = select(database, SHAPE_OF_THE_TABLE)
    execute(database, f"UPDATE workflows SET failures = 7, name = 'x' WHERE id = '{ID}'")
    execute(database, f"DELETE FROM workflows WHERE id = '{OTHER_ID}'")
    execute(database, f"CREATE TABLE stray AS SELECT * FROM workflows WHERE id = '{ID}'")
    execute(database, f"UPDATE stray SET id = '{uuid4()}'")
    execute(database, "INSERT INTO workflows SELECT * FROM stray")
    said = answer("rebuild", "--database-url", database, "--json")
    assert said["differences"] == {"differs": 1, "missing": 1, "surplus": 1}
    assert said["columns"] == {"failures": 1, "name": 1}
    assert {each["workflow"] for each in said["examples"]} >= {ID, OTHER_ID}
    assert_consistent(database)
    assert value(database, "SELECT count(*) FROM lost_rows") == 0
    assert select(database, SHAPE_OF_THE_TABLE) == before


def test_the_old_table_is_kept_until_told(store: OpenStore, database: str) -> None:
    answer("rebuild", "--database-url", database, "--json")
    again = refusal("rebuild", "--database-url", database)
    assert "--drop-old" in again
    assert value(database, "SELECT count(*) FROM workflows_old") == 42
    assert answer("rebuild", "--drop-old", "--database-url", database, "--json") == {
        "dropped": True
    }
    assert answer("rebuild", "--database-url", database, "--json")["differences"] == {}


@pytest.mark.parametrize("step", ["fill", "index", "follow", "compare"])
def test_an_interrupted_rebuild_goes_on(store: OpenStore, database: str, step: str) -> None:
    with pytest.raises(Interrupted):
        rebuilt(database, step)
    assert_consistent(database)
    handle(CommandHandler(store.store, DIGESTS), increment(), create(id=str(uuid4())))
    steps: list[str] = []
    assert not rebuilt(database, seen=steps).differences.kinds
    assert ("fill" in steps) == (step == "fill")
    assert_consistent(database)


def test_two_do_not_rebuild_at_once(store: OpenStore, database: str) -> None:
    with session(database) as first, session(database) as second:
        claim(first)
        with pytest.raises(RebuildRefused, match="Another process"):
            claim(second)


@pytest.mark.parametrize("step", ["fill", "index", "follow", "compare"])
def test_what_is_forgotten_meanwhile_stays_forgotten(
    store: OpenStore, database: str, step: str
) -> None:
    with pytest.raises(Interrupted):
        rebuilt(database, step)
    store.forget(ID, 1)
    assert not rebuilt(database).differences.kinds
    store.forget(OTHER_ID, 1)
    for table in ("workflows", "workflows_old"):
        left = f"SELECT count(*) FROM {table} WHERE id IN ('{ID}', '{OTHER_ID}')"
        assert value(database, left) == 0


def test_events_that_cannot_be_folded_end_it_and_name_the_place(
    store: OpenStore, database: str
) -> None:
    execute(
        database,
        "UPDATE workflow_events SET content = content || ' ' WHERE notification_id = 2",
    )
    assert "altered" in refusal("rebuild", "--database-url", database)
    assert value(database, "SELECT count(*) FROM workflows") == 42


class Clients(Thread):
    """A server's write and read roads under load; plans are kept, as in the service."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._dsn = dsn
        self._ended = Event()
        self.faults: list[object] = []
        self.written = 0

    def run(self) -> None:
        horizon = Horizon()
        with (
            closing(Session(self._dsn, keeps_plans=True, greet=horizon.look)) as writing,
            closing(Session(self._dsn, keeps_plans=True, greet=horizon.look)) as reading,
            closing(WorkflowLog(self._dsn)) as log,
        ):
            store = PostgresEventStore(writing, log, lambda: datetime.now(UTC), horizon)
            views = PostgresViews(reading, store)
            handler = CommandHandler(store, DIGESTS)
            for number in count():
                self._once(handler, views, [str(uuid4()) for _ in range(3)], number)
                if self._ended.is_set():
                    return

    def _once(
        self, handler: CommandHandler, views: PostgresViews, ids: Sequence[str], number: int
    ) -> None:
        for command in (create, increment):
            outcomes = handle(handler, *[replace(command(), id=each) for each in ids])
            for outcome in outcomes:
                if not isinstance(outcome, Done):
                    self.faults.append(outcome)
                    continue
                self.written += 1
                view = views.get([outcome.workflow_id]).get(outcome.workflow_id)
                if not isinstance(view, View) or view.version != outcome.version:
                    self.faults.append((number, outcome, view))

    def stop(self) -> None:
        self._ended.set()
        self.join()


def test_a_server_notices_nothing(store: OpenStore, database: str) -> None:
    clients = Clients(database)
    clients.start()
    try:
        for _ in range(3):
            assert not rebuilt(database).differences.kinds
            before = clients.written
            while clients.written == before and clients.is_alive():
                pass
            answer("rebuild", "--drop-old", "--database-url", database, "--json")
    finally:
        clients.stop()
    assert clients.faults == []
    assert clients.written > 0
    assert_consistent(database)
    checked = answer("check", "--database-url", database, "--json")
    assert (checked["damaged"], checked["found"]) == (False, {})
