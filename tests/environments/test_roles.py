"""The service runs as a role that may append and read, and nothing more."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from application.erasure import EraseUser, Erasures
from infrastructure.eventstore.erasure import PostgresErasures
from infrastructure.postgres.migrate import migrate
from infrastructure.proof.keys import SigningKey
from infrastructure.proof.receipts import FolderReceipts
from tests.support.database import execute, select, value
from tests.support.service import NotStarted, Service
from tests.support.waiting import until

RIGHTS = (files("infrastructure.postgres") / "roles.sql").read_text(encoding="utf-8")
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN"
FORBIDDEN = (
    "DELETE FROM workflow_events",
    "DELETE FROM command_ledger",
    "UPDATE workflow_events SET content = NULL, salt = NULL",
    "UPDATE command_ledger SET position = 1",
    "UPDATE service_secrets SET secret = ''",
    "UPDATE feed_epoch SET epoch = 1",
    "INSERT INTO schema_migrations (name, sha256) VALUES ('0', '')",
    "TRUNCATE workflow_events",
    "TRUNCATE command_ledger",
    "TRUNCATE workflows",
    "BEGIN; LOCK TABLE workflow_events IN SHARE MODE",
    "ALTER TABLE workflow_events DISABLE TRIGGER ALL",
    "DROP TABLE workflow_events",
    "DROP TRIGGER forget_row ON workflow_events",
    "CREATE TABLE mine (a int)",
    "CREATE INDEX mine ON workflows (id)",
    "CREATE SCHEMA mine",
    "CREATE EXTENSION pg_walinspect",
    "CREATE OR REPLACE FUNCTION forget_row_v1() RETURNS trigger LANGUAGE sql AS ''",
    "DROP FUNCTION append_events_v1",
)


@pytest.fixture
def role(database: str) -> Iterator[str]:
    """The DSN of a role with the rights of a service, on a migrated database."""
    for _ in range(2):  # As after a later migration.
        execute(database, RIGHTS)
    execute(database, "CREATE ROLE app LOGIN PASSWORD 'secret' IN ROLE workflows_service")
    try:
        yield make_conninfo(database, user="app", password="secret")
    finally:
        execute(database, "DROP OWNED BY app, workflows_service; DROP ROLE app, workflows_service")


def test_a_role_that_can_create_nothing_serves_a_migrated_database(role: str) -> None:
    before = value(role, "SELECT now()")
    with Service("--database-url", role) as service:
        workflow_id = service.client.created("alice", idempotency_key="once")
        service.client.increment(workflow_id, "job")
        service.client.terminate(workflow_id, "alice")
        service.client.delete(workflow_id, "alice")
        assert not service.client.walk("alice")
        until(lambda: value(role, "SELECT probed_at FROM readiness_probe") > before)
        assert "migrating" not in service.log()


def test_it_erases_a_user_by_the_functions_that_it_may_call(role: str, tmp_path: Path) -> None:
    key = SigningKey.made("workflows.test")
    kept = FolderReceipts(tmp_path, lambda: key)
    with Service("--database-url", role) as service:
        service.client.created("alice", idempotency_key="once")
        erased = Erasures(PostgresErasures(role), kept, kept.sign).erase(
            EraseUser("alice", "request 7", "GDPR Art. 17"), "admin"
        )
        assert (len(erased.workflows), erased.events, erased.ledger_entries) == (1, 1, 1)
        assert not service.client.walk("alice")


def test_it_can_neither_change_nor_delete_what_is_recorded_nor_create(role: str) -> None:
    for statement in FORBIDDEN:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            execute(role, statement)


def test_it_may_read_every_table(role: str) -> None:
    for (table,) in select(role, f"{TABLES} ('r', 'v')"):
        select(role, f"SELECT * FROM {table} LIMIT 0")


def test_it_finds_nothing_to_migrate(role: str) -> None:
    assert migrate(role) == []


def test_a_service_that_may_not_migrate_names_the_command_that_does(empty_database: str) -> None:
    starting = Service("--no-migrate", "--database-url", empty_database)
    with starting as service, pytest.raises(NotStarted) as caught:
        assert service.announced
    assert "lacks 0001_tables.sql" in caught.value.output
    assert "migrate" in caught.value.output
