"""What tests share: how Hypothesis searches, and a PostgreSQL with a database for each test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from psycopg.conninfo import make_conninfo

from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.migrate import migrate
from tests.support.database import execute

# No verdict depends on the speed of a machine, and none on an earlier run.
settings.register_profile(
    "workflows",
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("workflows")

# Services of tests that run together would fight for the HTTP door's one default port.
os.environ["WORKFLOWS_HTTP_LISTEN"] = "off"

DATA = Path(__file__).parents[1] / ".data"

_TEMPLATE = "migrated"
_NUMBERS = count(1)


@pytest.fixture(scope="session", autouse=True)
def _no_data_is_left_behind() -> Iterator[None]:
    """Tests leave nothing in the folder in which `make run` keeps its data."""
    was_there = DATA.exists()
    yield
    assert was_there or not DATA.exists(), f"a test made {DATA}: name a folder for its service"


@pytest.fixture(autouse=True)
def _logs_are_as_they_were() -> Iterator[None]:
    """A command that a test runs in its own process sets up logs for that process: undone."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The DSN of a PostgreSQL server that lives as long as the tests."""
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
