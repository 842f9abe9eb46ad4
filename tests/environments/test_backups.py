"""A database that was restored serves again: by the steps of OPERATIONS.md, as they stand there."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from infrastructure.postgres.migrate import migrate
from tests.support.cluster import Cluster, folder_for_clusters
from tests.support.command_line import answer, workflows
from tests.support.database import execute, select, value
from tests.support.records import assert_consistent
from tests.support.service import Service
from tests.support.waiting import until

ARCHIVING = "test ! -f {archive}/%f && cp %p {archive}/%f"
ARCHIVED = "SELECT last_archived_wal FROM pg_stat_archiver"
OF_BOB = "SELECT count(*) FROM workflow_events WHERE position('bob' IN content) > 0"
STATE = "SELECT name, fault FROM followers"


@pytest.fixture
def clusters() -> Iterator[Path]:
    """A folder for servers."""
    with folder_for_clusters() as folder:
        yield folder


@pytest.fixture
def archive(clusters: Path) -> Path:
    """A folder for the segments of a server's WAL."""
    folder = clusters / "archive"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def primary(clusters: Path, archive: Path) -> Iterator[Cluster]:
    """A migrated server that archives its WAL."""
    archiving = {"archive_mode": "on", "archive_command": ARCHIVING.format(archive=archive)}
    cluster = Cluster(clusters / "primary", **archiving)
    cluster.make()
    migrate(cluster.dsn)
    yield cluster
    cluster.stop(signal.SIGINT)


@pytest.fixture
def kept(tmp_path: Path) -> tuple[str, ...]:
    """Where the service keeps its log, its key and its receipts: no restore takes them back."""
    return ("--data-dir", str(tmp_path), "--log-dir", str(tmp_path / "log"))


def log_is_at(dsn: str, kept: tuple[str, ...], size: int) -> bool:
    """Whether a checkpoint of the current log covers so many events."""
    shown = workflows("log", "show", "--database-url", dsn, *kept, "--json")
    return f'"events": {size}' in shown.stdout


def erase(service: Service, user: str) -> Any:
    """Erases a user through the service."""
    why = ("--reason", "request 7", "--legal-basis", "GDPR Art. 17")
    return answer("erase", "--user", user, *why, "--target", service.address, "--json")


def diagnosis(dsn: str, kept: tuple[str, ...], subject: str) -> dict[str, str]:
    """What the doctor says of a subject."""
    printed = workflows("doctor", "--database-url", dsn, *kept, "--json").stdout
    found = [each for each in json.loads(printed)["diagnoses"] if each["subject"] == subject]
    return dict(found[0])


def test_a_restore_to_a_point_in_time(
    primary: Cluster, clusters: Path, archive: Path, kept: tuple[str, ...]
) -> None:
    with Service("--database-url", primary.dsn, *kept) as service:
        service.client.created("alice")
        service.client.created("bob")
        restored = Cluster(clusters / "restored")
        primary.copy_to(restored, "-X", "none")
        service.client.created("alice", name="after the backup")
        execute(primary.dsn, "SELECT pg_create_restore_point('good')")
        service.client.created("alice", name="after the point")
        erase(service, "bob")
        until(lambda: log_is_at(primary.dsn, kept, 4))
    # A switch without anything written since the last one does nothing.
    segment = value(primary.dsn, "SELECT pg_walfile_name(pg_create_restore_point('end'))")
    execute(primary.dsn, "SELECT pg_switch_wal()")
    until(lambda: (value(primary.dsn, ARCHIVED) or "") >= segment)
    primary.stop(signal.SIGINT)

    (restored.data / "recovery.signal").touch()
    restored.settings |= {
        "restore_command": f"cp {archive}/%f %p",
        "recovery_target_name": "good",
        "recovery_target_action": "promote",
    }
    restored.start()
    until(lambda: not value(restored.dsn, "SELECT pg_is_in_recovery()"))

    assert value(restored.dsn, "SELECT count(*) FROM workflow_events") == 3
    assert value(restored.dsn, OF_BOB) > 0
    try:
        with Service("--database-url", restored.dsn, *kept) as service:
            assert service.announced
            assert value(restored.dsn, OF_BOB) == 0, "erased again before anything is served"
            until(lambda: "restored to an earlier point" in str(select(restored.dsn, STATE)))
            assert log_is_at(restored.dsn, kept, 4)  # It signs nothing that contradicts itself.
        ill = diagnosis(restored.dsn, kept, "checkpoints")
        assert ill["command"].endswith("epoch new && workflows log new-origin")
        answer("epoch", "new", "--database-url", restored.dsn, "--json")
        answer("log", "new-origin", "--database-url", restored.dsn, *kept, "--json")
        with Service("--database-url", restored.dsn, *kept) as service:
            service.client.created("alice", name="after the restore")
            until(lambda: log_is_at(restored.dsn, kept, 4))
        assert answer("check", "--database-url", restored.dsn, "--json")["damaged"] is False
    finally:
        restored.stop(signal.SIGINT)


def test_a_restore_of_a_dump(primary: Cluster, clusters: Path, kept: tuple[str, ...]) -> None:
    with Service("--database-url", primary.dsn, *kept) as service:
        workflow_id = service.client.created("alice", idempotency_key="once")
        until(lambda: log_is_at(primary.dsn, kept, 1))
        primary.run("pg_dump", "-Fc", "-f", "/proc/self/cwd/dump", primary.dsn, folder=primary.data)
        service.client.created("alice", name="after the dump")
        until(lambda: log_is_at(primary.dsn, kept, 2))
    execute(primary.dsn, "CREATE DATABASE restored TEMPLATE template0")
    dsn = make_conninfo(primary.dsn, dbname="restored")
    primary.run("pg_restore", "--exit-on-error", "-d", dsn, "dump", folder=primary.data)

    answer("epoch", "new", "--database-url", dsn, "--json")
    assert "log new-origin" in diagnosis(dsn, kept, "checkpoints")["command"]
    answer("log", "new-origin", "--database-url", dsn, *kept, "--json")
    with Service("--database-url", dsn, *kept) as service:
        again = service.client.create("alice", idempotency_key="once")
        assert (again.message.id, again.replayed) == (workflow_id, True)
        until(lambda: log_is_at(dsn, kept, 1))
    assert_consistent(dsn)
