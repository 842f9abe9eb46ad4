"""A database that cannot be used is refused at the start: what it says, and what to do then."""

import shlex
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from infrastructure.postgres import migrate as migrations
from infrastructure.postgres.database import DatabaseUnusable
from infrastructure.postgres.inspection import inspect
from infrastructure.postgres.migrate import check_schema, migrate
from infrastructure.postgres.stored_functions import SchemaMismatch
from tests.support.database import execute

SECRET = "hunter2"
ROLE = "role_of_a_test"


@pytest.fixture
def role(database: str) -> Iterator[str]:
    """The DSN of a role without any right but to connect, on a migrated database."""
    yield from _role(database)


@pytest.fixture
def role_on_nothing(empty_database: str) -> Iterator[str]:
    """The DSN of such a role on an empty database."""
    yield from _role(empty_database)


def _role(dsn: str) -> Iterator[str]:
    execute(dsn, f"CREATE ROLE {ROLE} LOGIN PASSWORD '{SECRET}'")
    try:
        yield make_conninfo(dsn, user=ROLE, password=SECRET)
    finally:
        execute(dsn, f"DROP OWNED BY {ROLE}")
        execute(dsn, f"DROP ROLE {ROLE}")


def inspected(dsn: str) -> str:
    """Why a database cannot be used; never with a password."""
    with pytest.raises(DatabaseUnusable) as refused:
        inspect(dsn, 1)
    return said_with_a_command(refused.value)


def migrated(dsn: str) -> str:
    """Why a database cannot be migrated; never with a password."""
    with pytest.raises(DatabaseUnusable) as refused:
        migrate(dsn)
    return said_with_a_command(refused.value)


def said_with_a_command(refused: DatabaseUnusable) -> str:
    """The text of a refusal, which ends in a command and holds no password."""
    assert SECRET not in str(refused)
    assert shlex.split(refused.command)
    assert str(refused).endswith(refused.command)
    return str(refused)


def test_a_wrong_password(role: str) -> None:
    said = inspected(make_conninfo(role, password="wrong"))
    assert f'password authentication failed for user "{ROLE}"' in said
    assert "Correct user and password in the database's URL" in said
    assert said.endswith(f"-c '\\password {ROLE}'")


def test_a_database_that_does_not_exist(postgres: str) -> None:
    said = inspected(make_conninfo(postgres, dbname="nowhere"))
    assert 'database "nowhere" does not exist' in said
    assert "Create it: createdb -h " in said
    assert said.endswith("-E UTF8 -T template0 nowhere")


def test_a_host_that_has_no_address() -> None:
    said = inspected(f"postgresql://me:{SECRET}@nowhere.invalid/mine")
    assert said.startswith("PostgreSQL at nowhere.invalid:5432/mine cannot be reached: ")
    assert said.endswith("ask for it: getent hosts nowhere.invalid")


def test_hosts_and_ports_are_shown_in_pairs() -> None:
    said = inspected(f"postgresql://me:{SECRET}@127.0.0.1:1,127.0.0.2:2/mine")
    assert said.startswith("PostgreSQL at 127.0.0.1:1,127.0.0.2:2/mine cannot be reached: ")
    assert said.count("Connection refused") == 2


@pytest.mark.parametrize("url", [f"me:x@{SECRET}@127.0.0.1:1/mine", f"me:12/{SECRET}@[::1]:1/mine"])
def test_a_password_with_a_bare_separator_is_not_taken_for_a_host(url: str) -> None:
    assert "write %40 for @, and %2F for /" in inspected(f"postgresql://{url}")


def test_a_server_without_tls_if_tls_is_asked_for(postgres: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        threading.Thread(target=_refuse_tls, args=(server,), daemon=True).start()
        said = inspected(f"host=127.0.0.1 port={port} sslmode=require dbname=mine")
    assert "server does not support SSL" in said
    assert "Fit sslmode and sslrootcert" in said


def _refuse_tls(server: socket.socket) -> None:
    client, _ = server.accept()
    with client:
        client.recv(8)
        client.sendall(b"N")
        client.recv(1)


def test_a_silent_first_host_costs_seconds_and_the_second_is_used(postgres: str) -> None:
    folder = conninfo_to_dict(postgres)["host"]
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        port = silent.getsockname()[1]
        found = inspect(
            make_conninfo(postgres, host=f"127.0.0.1,{folder}", hostaddr="", port=f"{port},5432"), 1
        )
    assert found.place.hosts == ((folder, "5432"),)


def test_no_connection_is_left(role: str, database: str) -> None:
    execute(database, f"ALTER ROLE {ROLE} CONNECTION LIMIT 0")
    said = inspected(role)
    assert "too many connections for role" in said
    assert "SELECT usename, count(*) FROM pg_stat_activity" in said


def test_a_database_in_another_encoding(postgres: str) -> None:
    execute(
        postgres,
        "CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0 LOCALE 'C' LOCALE_PROVIDER libc",
    )
    try:
        said = inspected(make_conninfo(postgres, dbname="latin"))
    finally:
        execute(postgres, "DROP DATABASE latin")
    assert "keeps text as LATIN1" in said
    assert "Create another one: createdb " in said


def test_a_database_that_is_read_only(role: str, database: str) -> None:
    execute(database, f"ALTER ROLE {ROLE} SET default_transaction_read_only = on")
    said = inspected(role)
    assert "read-only" in said


def test_fewer_connections_than_needed_are_logged_and_no_reason_to_stop(
    postgres: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inspect(postgres, 100)
    printed = capsys.readouterr()
    assert "too few connections" in printed.out + printed.err


def test_a_role_without_the_right_to_create_migrates_nothing(role_on_nothing: str) -> None:
    said = migrated(role_on_nothing)
    assert "permission denied for schema public" in said
    assert f'GRANT CREATE ON SCHEMA public TO "{ROLE}"' in said


def test_a_role_that_may_not_make_extensions(role_on_nothing: str, empty_database: str) -> None:
    execute(empty_database, f"GRANT CREATE ON SCHEMA public TO {ROLE}")
    said = migrated(role_on_nothing)
    assert 'permission denied to create extension "' in said
    assert "CREATE EXTENSION pg_trgm" in said


def test_extensions_in_a_schema_that_is_not_searched(
    role_on_nothing: str, empty_database: str
) -> None:
    execute(empty_database, f"GRANT CREATE ON SCHEMA public TO {ROLE}")
    execute(empty_database, "CREATE SCHEMA elsewhere")
    for extension in ("pg_trgm", "btree_gin"):
        execute(empty_database, f"CREATE EXTENSION {extension} SCHEMA elsewhere")
    assert f'ALTER ROLE "{ROLE}" SET search_path' in migrated(role_on_nothing)


def test_a_table_of_somebody_else(empty_database: str) -> None:
    execute(empty_database, "CREATE TABLE workflows (theirs text)")
    said = migrated(empty_database)
    assert 'relation "workflows" already exists' in said
    assert "a database of its own: createdb" in said


def test_a_schema_that_is_newer_than_the_program(database: str) -> None:
    execute(database, "INSERT INTO schema_migrations (name, sha256) VALUES ('9999_new.sql', '')")
    for look in (migrate, check_schema):
        with pytest.raises(SchemaMismatch, match=r"knows 9999_new.sql. Start that version"):
            look(database)


def test_a_schema_that_is_behind_is_refused_if_the_service_may_not_migrate(
    empty_database: str,
) -> None:
    with pytest.raises(SchemaMismatch, match=r"lacks 0001_tables.sql.* Run: workflows migrate"):
        check_schema(empty_database)


def test_a_role_that_may_not_read_the_schema(role: str) -> None:
    assert f'GRANT workflows_service TO "{ROLE}"' in migrated(role)


def test_another_process_that_migrates_for_ever_is_named(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "TURN_WITHIN", 0.2)
    with closing(psycopg.connect(empty_database, autocommit=True)) as stuck:
        stuck.execute("SELECT pg_advisory_lock(5005200)")
        holder = stuck.info.backend_pid
        said = migrated(empty_database)
    assert f"SELECT pg_terminate_backend({holder})" in said
