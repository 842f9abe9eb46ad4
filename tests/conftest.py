"""What tests share: how Hypothesis searches, and a PostgreSQL with a database for each test."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.conninfo import make_conninfo

from domain.events import WorkflowEvent
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.eventstore.store import PostgresEventStore
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.migrate import migrate
from infrastructure.postgres.session import Session

# No verdict depends on the speed of a machine, and none on an earlier run.
settings.register_profile(
    "workflows",
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("workflows")

_TEMPLATE = "migrated"
_NUMBERS = count(1)
_EVENTS = """
    SELECT topic, notification_id, state FROM workflow_events
    WHERE originator_id = %s ORDER BY originator_version
"""


def execute(dsn: str, statement: str) -> None:
    """Executes a statement of a test's own, in autocommit mode."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement)


@dataclass(frozen=True)
class OpenStore:
    """An event store on PostgreSQL, and a view of its events that does not go through load()."""

    dsn: str
    store: PostgresEventStore
    log: WorkflowLog

    def history(self, workflow_id: str) -> list[WorkflowEvent]:
        """A workflow's events, oldest first."""
        return [envelope.stored.event for envelope in self.log.history(workflow_id)]

    def positions(self, workflow_id: str) -> list[int]:
        """Where a workflow's events are in the feed."""
        return [position for _, position, _ in self.rows(workflow_id)]

    def rows(self, workflow_id: str) -> list[tuple[str, int, bytes]]:
        """A workflow's stored events: name, position and bytes of each, oldest first."""
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(_EVENTS, (workflow_id,)).fetchall()


@contextmanager
def open_store(dsn: str) -> Iterator[OpenStore]:
    """A store on a session and a log of its own, as another server process would have them."""
    session = Session(dsn)
    with WorkflowLog(dsn) as log:
        try:
            yield OpenStore(dsn, PostgresEventStore(session, log, lambda: datetime.now(UTC)), log)
        finally:
            session.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The DSN of a PostgreSQL server that lives as long as the tests."""
    # A short path that another user can enter: sockets have short names, and root cannot serve.
    directory = Path(tempfile.mkdtemp(prefix="workflows-"))
    server = EmbeddedPostgres(directory)
    try:
        yield server.dsn
    finally:
        server.stop()
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def migrated(postgres: str) -> str:
    """The name of a migrated database that others are copied from."""
    execute(postgres, f"CREATE DATABASE {_TEMPLATE}")
    migrate(make_conninfo(postgres, dbname=_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def empty_database(postgres: str) -> Iterator[str]:
    """The DSN of a database of its own, without any table."""
    yield from _database(postgres, "template1")


@pytest.fixture
def database(postgres: str, migrated: str) -> Iterator[str]:
    """The DSN of a migrated database of its own, without any row of a workflow."""
    yield from _database(postgres, migrated)


def _database(postgres: str, template: str) -> Iterator[str]:
    name = f"test_{next(_NUMBERS)}"
    execute(postgres, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield make_conninfo(postgres, dbname=name)
    finally:
        execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")
