"""Migrations: applied once, in order, by the first process that needs them, never edited."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import psycopg
import pytest

from infrastructure.postgres import migrate as migrations
from infrastructure.postgres.database import DatabaseUnusable
from infrastructure.postgres.migrate import Migration, available, migrate
from infrastructure.postgres.stored_functions import SchemaMismatch, known

MIGRATION_NAMES = [migration.name for migration in available()]
FUNCTION_NAMES = [function.name for function in known()]


def recorded(dsn: str) -> list[str]:
    """The names that the database says were applied to it."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT name FROM schema_migrations ORDER BY name")
        return [name for (name,) in rows]


def test_an_empty_database_gets_every_migration_in_order(empty_database: str) -> None:
    assert list(migrate(empty_database)) == MIGRATION_NAMES + FUNCTION_NAMES
    assert sorted(MIGRATION_NAMES) == MIGRATION_NAMES
    assert recorded(empty_database) == MIGRATION_NAMES


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [int(name.split("_")[0]) for name in MIGRATION_NAMES]
    assert numbers == list(range(1, len(numbers) + 1))


def test_six_processes_migrate_an_empty_database_at_once(empty_database: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(6, mp_context=spawn) as processes:
        applied = list(processes.map(migrate, [empty_database] * 6))
    assert sorted(name for names in applied for name in names) == MIGRATION_NAMES + FUNCTION_NAMES
    assert recorded(empty_database) == MIGRATION_NAMES


def test_migrating_twice_applies_nothing(empty_database: str) -> None:
    migrate(empty_database)
    assert list(migrate(empty_database)) == []


def test_an_edited_migration_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = available()
    edited = Migration(first.name, first.sql + "-- edited\n")
    monkeypatch.setattr(migrations, "available", lambda: [edited, *others])
    with pytest.raises(SchemaMismatch):
        migrate(database)


def test_a_migration_that_fails_leaves_nothing_behind(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = available()
    broken = Migration("9999_broken.sql", "CREATE TABLE half (a int); SELECT 1 / 0;")
    monkeypatch.setattr(migrations, "available", lambda: [*known, broken])
    for _ in range(2):
        with pytest.raises(DatabaseUnusable, match=r"9999_broken.sql: division by zero"):
            migrate(database)
    assert recorded(database) == MIGRATION_NAMES
