"""The database on which attacked services serve."""

import pytest
from psycopg.conninfo import make_conninfo

from tests.support.database import execute


@pytest.fixture(scope="session")
def shared_database(postgres: str, migrated: str) -> str:
    """The DSN of a migrated database."""
    execute(postgres, f"CREATE DATABASE abuse TEMPLATE {migrated}")
    return make_conninfo(postgres, dbname="abuse")
