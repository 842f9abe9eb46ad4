"""A store and its cosigned log, a copy for each test; and an attacker."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from tests.support.database import execute
from tests.support.proofs import KeptLog, write
from tests.support.stores import open_store
from tests.support.tampering import Attacker

WORKFLOWS = 300


@pytest.fixture(scope="session")
def untouched(
    postgres: str, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """The name of the database of which each test gets a copy, and the folder of its log."""
    execute(postgres, f"CREATE DATABASE untouched TEMPLATE {migrated}")
    folder = tmp_path_factory.mktemp("untouched")
    dsn = make_conninfo(postgres, dbname="untouched")
    with open_store(dsn) as store:
        write(store, WORKFLOWS, events=3)
    kept = KeptLog(dsn, folder)
    kept.follow()
    kept.cosign()
    return "untouched", folder


@pytest.fixture
def kept(postgres: str, untouched: tuple[str, Path], tmp_path: Path) -> Iterator[KeptLog]:
    """A store of 300 workflows with its log, of which a witness has cosigned all 900 events.

    The creations stand at the positions 1 to 300, the second events at 301 to 600, the third ones
    at 601 to 900: so 10, 310 and 610 are the events of one workflow.
    """
    template, folder = untouched
    execute(postgres, f"CREATE DATABASE tampered TEMPLATE {template}")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    yield KeptLog(make_conninfo(postgres, dbname="tampered"), tmp_path)
    execute(postgres, "DROP DATABASE tampered WITH (FORCE)")


@pytest.fixture
def attacker(kept: KeptLog) -> Attacker:
    """One with all rights on the database of the test."""
    return Attacker(kept.dsn)
