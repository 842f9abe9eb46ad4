"""One database for all tests of faults, emptied for each: making one takes longer than most."""

import pytest
from psycopg.conninfo import make_conninfo

from tests.support.database import execute

EMPTY = "TRUNCATE workflow_events, workflows, command_ledger, append_fences, lost_rows"


@pytest.fixture(scope="session")
def shared_by_faults(postgres: str, migrated: str) -> str:
    """The DSN of a migrated database."""
    execute(postgres, f"CREATE DATABASE faults TEMPLATE {migrated}")
    return make_conninfo(postgres, dbname="faults")


@pytest.fixture
def database(shared_by_faults: str) -> str:
    """The DSN of a migrated database, without any row of a workflow."""
    execute(shared_by_faults, EMPTY)
    return shared_by_faults
