"""What only the store on PostgreSQL does: it heals, races, and survives damage."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from typing import cast
from uuid import UUID

import psycopg
import pytest
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder
from eventsourcing.utils import get_topic

from application.damage import Damaged, KnownDamage
from application.draft import Done, Outcome, Submission
from application.handler import CommandHandler
from application.ports import EventMetadata, Origin, StoredDataDamaged, View
from domain.commands import Command
from infrastructure.eventstore.log import ReadingRecorder
from infrastructure.eventstore.marks import PostgresMarks
from infrastructure.postgres.session import Session
from infrastructure.readmodel.rows import ROW_SHAPE, STATE_COLUMNS
from infrastructure.readmodel.views import PostgresViews
from tests.support.database import execute
from tests.support.given import (
    ID,
    LATER,
    NOW,
    OTHER_ID,
    build_status,
    built,
    create,
    created,
    delete,
    failed,
    increment,
    terminate,
    update,
    workflow,
)
from tests.support.stores import DIGESTS, OpenStore, open_store

ORIGIN = Origin("gateway", "req", "trace")
THIRD_ID = "0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e71"


def submit(store: OpenStore, *commands: Command) -> list[Outcome]:
    return CommandHandler(store.store, DIGESTS).handle([Submission(c, ORIGIN) for c in commands])


def write(store: OpenStore, *commands: Command) -> list[Done]:
    outcomes = submit(store, *commands)
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    return [outcome for outcome in outcomes if isinstance(outcome, Done)]


def row(dsn: str, columns: str, workflow_id: str = ID) -> tuple[object, ...] | None:
    with psycopg.connect(dsn) as connection:
        query = f"SELECT {columns} FROM workflows WHERE id = %s"
        found: tuple[object, ...] | None = connection.execute(query, (workflow_id,)).fetchone()
        return found


def corrupt(dsn: str, workflow_id: str, state: str = "'{}'") -> None:
    """Damages a workflow's first event, and takes the row away that would hide it."""
    execute(
        dsn,
        f"UPDATE workflow_events SET state = {state}"
        f" WHERE originator_id = '{workflow_id}' AND originator_version = 1",
    )
    execute(dsn, f"DELETE FROM workflows WHERE id = '{workflow_id}'")


@pytest.fixture
def store(database: str) -> Iterator[OpenStore]:
    with open_store(database) as opened:
        yield opened


@pytest.fixture
def rival(database: str) -> Iterator[OpenStore]:
    with open_store(database) as opened:
        yield opened


SPOILT = pytest.mark.parametrize(
    "spoil",
    [
        pytest.param("DELETE FROM workflows", id="missing"),
        pytest.param(f"UPDATE workflows SET shape = {ROW_SHAPE ^ 1}, failures = 9", id="shape"),
        pytest.param("UPDATE workflows SET version = version - 1, failures = 9", id="behind"),
    ],
)


@SPOILT
def test_a_row_that_cannot_be_used_is_replayed(store: OpenStore, spoil: str) -> None:
    write(store, create(), create(id=OTHER_ID), increment(job_id="a"))
    before = store.store.load([ID], []).streams[ID]
    execute(store.dsn, spoil)
    after = store.store.load([ID], []).streams[ID]
    assert after == replace(before, rebuilt=True)
    assert after.workflow == workflow(created(), failed(1, "a", at=LATER))


@SPOILT
def test_a_row_that_cannot_be_used_is_healed_by_the_next_change(
    store: OpenStore, spoil: str
) -> None:
    write(store, create(), create(id=OTHER_ID), build_status("building"))
    columns = "name, payload, user_id, created_at, created_position"
    whole = row(store.dsn, columns)
    execute(store.dsn, spoil)
    write(store, increment())
    write(store, update(id=OTHER_ID, name="hourly"))
    assert row(store.dsn, columns) == whole
    assert row(store.dsn, "shape, version, failures, position") == (ROW_SHAPE, 3, 1, 4)
    assert not store.store.load([ID], []).streams[ID].rebuilt


@SPOILT
def test_a_row_that_cannot_be_used_is_restored_by_a_read(store: OpenStore, spoil: str) -> None:
    write(store, create(), create(id=OTHER_ID), increment(job_id="a"))
    columns = f"{STATE_COLUMNS}, version, position, created_position, digest, shape"
    whole = row(store.dsn, columns)
    execute(store.dsn, spoil)
    with closing(Session(store.dsn)) as session:
        found = PostgresViews(session, store.store).get([ID, THIRD_ID])
    assert found == {ID: View(ID, workflow(created(), failed(1, "a", at=LATER)), 2)}
    assert row(store.dsn, columns) == whole
    assert not store.store.load([ID], []).streams[ID].rebuilt


def test_a_row_that_cannot_be_restored_is_read_all_the_same(
    store: OpenStore, rival: OpenStore
) -> None:
    write(store, create())
    write(rival, increment())
    execute(store.dsn, "DELETE FROM workflows")
    store.store._session.connection().execute("SET default_transaction_read_only = on")
    assert store.store.load([ID], []).streams[ID].version == 2
    assert row(store.dsn, "version") is None


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param("DELETE FROM workflow_events WHERE originator_version = 2", id="deleted"),
        pytest.param(
            "UPDATE workflow_events SET content = (SELECT content FROM workflow_events"
            " WHERE originator_version = 3) WHERE originator_version = 2",
            id="changed",
        ),
        pytest.param(
            "UPDATE workflow_events SET originator_version = 5 - originator_version"
            " WHERE originator_version = 3; UPDATE workflow_events SET originator_version = 3"
            " WHERE originator_version = 2 AND notification_id = 2",
            id="swapped",
        ),
    ],
)
def test_a_history_that_was_tampered_with_is_never_believed(store: OpenStore, tamper: str) -> None:
    write(store, create(), increment(), increment())
    execute(store.dsn, "ALTER TABLE workflow_events DROP CONSTRAINT workflow_events_pkey")
    execute(store.dsn, f"DELETE FROM workflows; {tamper}")
    (outcome,) = submit(store, increment())
    assert isinstance(outcome, StoredDataDamaged)
    assert row(store.dsn, "version") is None


def test_the_first_replay_after_the_database_ended_its_sessions_succeeds(store: OpenStore) -> None:
    write(store, create())
    assert store.history(ID) == [created()]
    execute(store.dsn, "DELETE FROM workflows")
    execute(
        store.dsn,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    assert isinstance(submit(store, increment())[0], Done)


def test_a_key_is_kept_even_if_the_row_is_missing_and_nothing_changed(store: OpenStore) -> None:
    write(store, create())
    execute(store.dsn, "DELETE FROM workflows")
    (first,) = write(store, update(idempotency_key="key"))
    assert write(store, update(idempotency_key="key")) == [replace(first, replayed=True)]


def test_a_key_is_kept_with_the_position_of_its_own_event(store: OpenStore) -> None:
    write(store, create(id=OTHER_ID), create(idempotency_key="key"), increment(job_id="a"))
    write(store, update(idempotency_key="same"), increment(job_id="b"), build_status("building"))
    with psycopg.connect(store.dsn) as connection:
        kept = connection.execute("SELECT key, position FROM command_ledger ORDER BY key")
        positions: dict[bytes, int] = dict(kept.fetchall())
        events = connection.execute(
            "SELECT l.key, e.notification_id FROM command_ledger AS l JOIN workflow_events AS e"
            " ON e.originator_id = l.workflow_id AND e.originator_version = l.version"
        )
        assert positions == dict(events.fetchall())
    assert len(positions) == 4
    assert len(set(positions.values())) > 2


def test_a_terminated_or_deleted_workflow_stays_so_without_its_row(store: OpenStore) -> None:
    write(store, create(), terminate(), create(id=OTHER_ID), delete(id=OTHER_ID))
    execute(store.dsn, "DELETE FROM workflows")
    streams = store.store.load([ID, OTHER_ID], []).streams
    assert streams[ID].state(ID).terminated_at == LATER
    assert streams[OTHER_ID].state(OTHER_ID).deleted_at == LATER


def test_each_stored_event_vouches_for_the_one_before_it(
    store: OpenStore, rival: OpenStore
) -> None:
    write(store, create(), increment(), create(id=OTHER_ID))
    write(rival, update(name="hourly"), build_status("success"))
    write(store, terminate(), delete())
    states = [state for _, _, state in store.rows(ID)]
    digests = [sha256(state).hexdigest() for state in states]
    assert len(digests) == 6
    assert [json.loads(state)["previous"] for state in states] == ["", *digests[:-1]]
    assert store.store.load([ID], []).streams[ID].digest.hex() == digests[-1]


def test_events_are_stored_under_their_names(store: OpenStore) -> None:
    write(store, create(max_consecutive_job_failures_allowed=1), increment(), delete())
    stored = ["created.v1", "failure_incremented.v1", "terminated.v1", "deleted.v1"]
    assert [name for name, _, _ in store.rows(ID)] == stored


def test_an_event_keeps_who_asked_for_it(store: OpenStore) -> None:
    write(store, create(idempotency_key="key"))
    (recorded,) = store.log.history(ID)
    assert recorded.metadata == EventMetadata(ORIGIN, "key", "", 0)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("'{}'", id="another document"),
        pytest.param("substring(state FOR 40)", id="cut off"),
    ],
)
def test_a_damaged_event_is_the_fault_of_its_workflow_alone(store: OpenStore, state: str) -> None:
    write(store, create(), create(id=OTHER_ID))
    corrupt(store.dsn, ID, state)
    outcomes = submit(
        store, increment(id=OTHER_ID), increment(), build_status("failed", id=OTHER_ID)
    )
    assert isinstance(outcomes[1], StoredDataDamaged)
    assert [type(outcomes[0]), type(outcomes[2])] == [Done, Done]
    assert store.history(OTHER_ID)[1:] == [failed(1, at=LATER), built("failed", at=LATER)]


def test_damage_is_known_until_a_row_or_an_event_is_changed(store: OpenStore) -> None:
    write(store, create(), increment())
    good = row(store.dsn, "updated_at")
    with closing(Session(store.dsn)) as session:
        damaged = Damaged(PostgresMarks(session), look_every=0.0)
        handler = CommandHandler(store.store, DIGESTS, damaged=damaged)

        def ask() -> Outcome:
            (outcome,) = handler.handle([Submission(increment(), ORIGIN)])
            return outcome

        execute(store.dsn, "UPDATE workflows SET updated_at = 'infinity'")
        assert not isinstance(ask(), KnownDamage)
        assert isinstance(ask(), KnownDamage)
        execute(store.dsn, "UPDATE workflow_events SET topic = 'x' WHERE originator_version = 2")
        assert not isinstance(ask(), KnownDamage)
        assert isinstance(ask(), KnownDamage)
        execute(store.dsn, f"UPDATE workflows SET updated_at = '{good and good[0]}'")
        assert isinstance(ask(), Done)


@pytest.mark.parametrize("topic", ["created.v9", "reset.v1", "builtins:eval"])
def test_an_event_of_another_name_is_damage(store: OpenStore, topic: str) -> None:
    write(store, create())
    execute(store.dsn, f"UPDATE workflow_events SET topic = '{topic}'")
    execute(store.dsn, "DELETE FROM workflows")
    with pytest.raises(StoredDataDamaged):
        store.store.load([ID], [])


def test_a_history_that_cannot_be_is_damage(store: OpenStore) -> None:
    write(store, create(), increment())
    execute(store.dsn, "DELETE FROM workflow_events WHERE originator_version = 1")
    execute(store.dsn, "DELETE FROM workflows")
    with pytest.raises(StoredDataDamaged):
        store.store.load([ID], [])


def test_two_sessions_that_race_on_one_workflow_lose_nothing(
    store: OpenStore, rival: OpenStore
) -> None:
    rounds = 20
    write(store, create(max_consecutive_job_failures_allowed=100))

    def race(racer: OpenStore) -> Sequence[Done]:
        return [done for _ in range(rounds) for done in write(racer, increment())]

    with ThreadPoolExecutor(2) as threads:
        ran = [done for result in threads.map(race, (store, rival)) for done in result]
    versions = range(2, 2 * rounds + 2)
    assert sorted(done.version for done in ran) == list(versions)
    assert sorted(done.position for done in ran) == list(versions)
    assert store.history(ID)[1:] == [failed(n, at=LATER) for n in range(1, 2 * rounds + 1)]
    assert store.positions(ID) == list(range(1, 2 * rounds + 2))


def test_two_sessions_that_race_with_one_key_make_one_workflow(
    store: OpenStore, rival: OpenStore
) -> None:
    def race(racer: OpenStore, second: int) -> Sequence[Done]:
        ids = (str(UUID(int=UUID(ID).int + 2 * number + second)) for number in range(10))
        return [write(racer, create(id=i, idempotency_key=f"k{n}"))[0] for n, i in enumerate(ids)]

    with ThreadPoolExecutor(2) as threads:
        ours, theirs = threads.map(race, (store, rival), (0, 1))
    assert [done.workflow_id for done in ours] == [done.workflow_id for done in theirs]
    pairs = zip(ours, theirs, strict=True)
    assert {one.replayed + other.replayed for one, other in pairs} == {1}


def test_the_librarys_settings_in_the_environment_change_nothing(
    store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, create())
    for name in ("DBNAME", "HOST", "PORT", "USER", "PASSWORD", "SCHEMA", "ORIGINATOR_ID_TYPE"):
        monkeypatch.setenv(f"POSTGRES_{name}", "elsewhere")
        monkeypatch.setenv(f"WORKFLOW_POSTGRES_{name}", "elsewhere")
    monkeypatch.setenv("PERSISTENCE_MODULE", "eventsourcing.popo")
    monkeypatch.setenv("APPLICATION_RECORDER_TOPIC", get_topic(PostgresApplicationRecorder))
    monkeypatch.setenv("AGGREGATE_CACHE_MAXSIZE", "elsewhere")
    with open_store(store.dsn) as another:
        assert another.history(ID) == [created()]
        assert type(another.log.recorder) is ReadingRecorder


def test_the_library_may_not_insert(store: OpenStore) -> None:
    with pytest.raises(PermissionError):
        store.log.recorder.insert_events([StoredEvent(UUID(ID), 1, "created.v1", b"{}")])
    assert store.rows(ID) == []


def test_the_library_may_not_write_our_form(store: OpenStore) -> None:
    write(store, create(now=NOW))
    (recorded,) = store.log.history(ID)
    with pytest.raises(PermissionError):
        store.log.mapper.to_stored_event(cast("DomainEventProtocol[UUID]", recorded))
    assert len(store.rows(ID)) == 1
