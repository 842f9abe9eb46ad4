"""SQL functions by version: a missing one is created, and two releases share a database."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from application.draft import Done
from infrastructure.eventstore import store as event_store
from infrastructure.postgres.migrate import migrate
from infrastructure.postgres.stored_functions import SchemaMismatch, known
from tests.faults.writers import writer
from tests.support.database import execute
from tests.support.given import increment
from tests.support.records import assert_consistent
from tests.support.service import Service

ROUNDS = 20
(FIRST_APPEND,) = (function for function in known() if function.name == "append_events_v1")
NEXT_APPEND = FIRST_APPEND.sql.replace("append_events_v1", "append_events_v2")


def test_a_missing_function_is_created(database: str) -> None:
    execute(database, "DROP FUNCTION append_events_v1")
    assert list(migrate(database)) == ["append_events_v1"]
    assert list(migrate(database)) == []


def test_a_function_with_another_body_is_refused(database: str) -> None:
    edited = FIRST_APPEND.sql.replace("BEGIN", "BEGIN NULL;", 1)
    execute(database, edited.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    with pytest.raises(SchemaMismatch, match="append_events_v1"):
        migrate(database)


def test_an_old_and_a_new_server_share_a_database_through_a_rolling_restart(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = event_store.APPEND.replace("append_events_v1", "append_events_v2")
    monkeypatch.setattr(event_store, "APPEND", statement)
    with writer(database) as newer, ThreadPoolExecutor(1) as threads:

        def count(workflow_id: str) -> Sequence[Done]:
            command = increment(id=workflow_id, user_id="")
            return [done for _ in range(ROUNDS) for done in newer.done(command)]

        with Service("--database-url", database) as older:
            example = older.client.created("alice", max_consecutive_job_failures_allowed=100)
            execute(database, NEXT_APPEND)
            counted = threads.submit(count, example)
            versions = [older.client.increment(example).version for _ in range(ROUNDS)]
            versions += [done.version for done in counted.result()]
        with Service("--database-url", database) as older:
            versions.append(older.client.increment(example).version)
            versions += [done.version for done in count(example)]
    assert sorted(versions) == list(range(2, len(versions) + 2))
    assert_consistent(database)
