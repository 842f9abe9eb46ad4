"""The service runs as a role that may read and write, and nothing more."""

from collections.abc import Iterator

import pytest
from psycopg.conninfo import make_conninfo

from tests.support.database import execute
from tests.support.service import NotStarted, Service

ROLE = "serving"


@pytest.fixture
def role(database: str) -> Iterator[str]:
    """The DSN of a role that owns nothing and can create nothing, on a migrated database."""
    execute(database, f"CREATE ROLE {ROLE} LOGIN PASSWORD 'secret'")
    execute(
        database, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}"
    )
    try:
        yield make_conninfo(database, user=ROLE, password="secret")
    finally:
        execute(database, f"DROP OWNED BY {ROLE}")
        execute(database, f"DROP ROLE {ROLE}")


def test_a_role_that_can_create_nothing_serves_a_migrated_database(role: str) -> None:
    with Service("--database-url", role) as service:
        workflow_id = service.client.created("alice")
        assert service.client.get(workflow_id, "alice").message.name == "nightly"
        assert "migrating" not in service.log()


def test_a_service_that_may_not_migrate_names_the_command_that_does(empty_database: str) -> None:
    starting = Service("--no-migrate", "--database-url", empty_database)
    with starting as service, pytest.raises(NotStarted) as caught:
        assert service.announced
    assert "lacks 0001_tables.sql" in caught.value.output
    assert "migrate" in caught.value.output
