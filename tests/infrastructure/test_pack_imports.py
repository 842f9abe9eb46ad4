"""A pack that is imported into an empty database gives the same events, states and digests."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo
from workflows import history_pb2 as pb
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub
from workflows_testing import strategies

from application.draft import Submission
from application.exports import ExportRequest
from application.handler import CommandHandler
from application.ports import Feed
from application.receipts import ErasedWorkflow, Erasure, receipt_text
from domain.commands import Command
from infrastructure.packs.importing import Imported, ImportRefused, import_pack
from infrastructure.readmodel.rows import STATE_COLUMNS
from tests.support.command_line import answer, refusal
from tests.support.database import execute, select
from tests.support.given import ID, OTHER_ID, increment
from tests.support.packs import asked, flipped, read_pack, write_pack, zipped
from tests.support.proofs import ORIGIN, KeptLog, record, write
from tests.support.service import Service
from tests.support.stores import DIGESTS, OpenStore, open_store

EMPTY = "TRUNCATE workflow_events, workflows, command_ledger, lost_rows, erasures CASCADE"
EVENTS = """
    SELECT originator_id, originator_version, topic, state, salt, content FROM workflow_events
    WHERE originator_id = ANY (%s) ORDER BY notification_id
"""
ROWS = f"""
    SELECT id, version, digest, shape, name_folded, {STATE_COLUMNS} FROM workflows
    WHERE id = ANY (%s) ORDER BY created_position
"""
PLACES = "SELECT originator_id, notification_id FROM workflow_events ORDER BY notification_id"
MINE = {"id": st.sampled_from([ID, OTHER_ID]), "user_id": st.just("alice")}
HISTORIES = st.lists(
    st.one_of(
        strategies.updates(**MINE),
        strategies.build_status_updates(**MINE),
        strategies.increments(**MINE),
        strategies.resets(**MINE),
        strategies.terminations(**MINE),
        strategies.deletions(**MINE),
    ),
    max_size=20,
)


@pytest.fixture
def source(database: str) -> Iterator[OpenStore]:
    """The store whose packs are imported elsewhere."""
    with open_store(database) as opened:
        yield opened


@pytest.fixture
def target(postgres: str, migrated: str) -> Iterator[str]:
    """An empty database."""
    execute(postgres, f"CREATE DATABASE imported TEMPLATE {migrated}")
    yield make_conninfo(postgres, dbname="imported")
    execute(postgres, "DROP DATABASE imported WITH (FORCE)")


def imported(target: str, pack: Path) -> Imported:
    """What an import into a database brings."""
    with psycopg.connect(target, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        return import_pack(connection, pack)


def same(source: str, target: str, ids: Sequence[str]) -> bool:
    """Whether two databases hold the same events and rows of these workflows, in one order."""
    wanted: Any = list(ids)
    for query in (EVENTS, ROWS):
        assert select(source, query, wanted) == select(target, query, wanted)
    return True


def erase(source: OpenStore, workflow_id: str) -> None:
    """Forgets how a workflow began, and writes the receipt of it."""
    execute(source.dsn, f"DELETE FROM workflows WHERE id = '{workflow_id}'")
    execute(source.dsn, "TRUNCATE lost_rows")
    source.forget(workflow_id, 1)
    gone = ErasedWorkflow(workflow_id, 1, 1, bytes(32))
    why, moment = ("asked to", "law", "admin"), datetime.now(UTC)
    erasure = Erasure(workflow_id, *why, Feed(1), 1, moment, [gone], 1, 0, 0, 1)
    receipt = f"{receipt_text(erasure)}\nsigned"
    execute(source.dsn, f"UPDATE erasures SET receipt = '{receipt}' WHERE id = '{workflow_id}'")


def _creates(workflow_id: str) -> st.SearchStrategy[Command]:
    return strategies.creates(
        id=st.just(workflow_id), user_id=st.just("alice"), idempotency_key=st.just("")
    )


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    _creates(ID),
    _creates(OTHER_ID),
    HISTORIES,
    st.booleans(),
    st.sampled_from([asked(), asked(OTHER_ID), asked(user_id="alice")]),
)
def test_random_histories_come_out_as_they_went_in(
    source: OpenStore,
    target: str,
    first: Command,
    second: Command,
    others: Sequence[Command],
    erased: bool,
    wanted: ExportRequest,
) -> None:
    for dsn in (source.dsn, target):
        execute(dsn, EMPTY)
    with open_store(source.dsn) as anew:  # Another process, which has seen no position yet.
        record(anew, [first, second])
        handler = CommandHandler(anew.store, DIGESTS)
        for command in others:
            list(handler.handle([Submission(command, ORIGIN)]))
    if erased:
        erase(source, ID)
    with TemporaryDirectory() as folder:
        kept = KeptLog(source.dsn, Path(folder))
        kept.follow()
        found = imported(target, write_pack(kept, Path(folder) / "pack.zip", wanted))

    ids = [ID, OTHER_ID]
    if wanted.workflow_id or (wanted.user_id and erased):
        ids = [OTHER_ID]  # Nobody knows any more whose the other one was.
    assert found.workflows == len(ids)
    assert same(source.dsn, target, ids)
    if wanted == asked():
        assert select(source.dsn, PLACES) == select(target, PLACES)
    assert not answer("check", "--database-url", target, "--json")["damaged"]


@pytest.fixture
def pack(source: OpenStore, tmp_path: Path) -> Path:
    """A pack of two workflows."""
    write(source, 2, events=2)
    kept = KeptLog(source.dsn, tmp_path)
    kept.follow()
    return write_pack(kept, tmp_path / "pack.zip")


def test_a_broken_pack_changes_nothing(pack: Path, target: str, tmp_path: Path) -> None:
    files = read_pack(pack)
    changed = files | {"events.jsonl": flipped(files["events.jsonl"], 100)}
    with pytest.raises(ImportRefused, match="is no sound pack"):
        imported(target, zipped(changed, tmp_path / "changed.zip"))
    assert not select(target, PLACES)


def test_a_service_on_an_import_says_which_erasure_took_content_away(
    source: OpenStore, target: str, tmp_path: Path
) -> None:
    [workflow_id] = write(source, 1)
    erase(source, workflow_id)
    kept = KeptLog(source.dsn, tmp_path)
    kept.follow()
    imported(target, write_pack(kept, tmp_path / "pack.zip"))
    asked = pb.GetWorkflowHistoryRequest(id=workflow_id)
    with Service("--database-url", target, WORKFLOWS_DATA_DIR=str(tmp_path)) as service:
        stub = WorkflowHistoryServiceStub(service.client.channel)
        [event] = stub.GetWorkflowHistory(asked, timeout=10).events
    assert event.erased.receipt_id == workflow_id


def test_a_database_that_holds_something_is_refused(pack: Path, target: str) -> None:
    assert imported(target, pack) == Imported(events=4, workflows=2)
    with pytest.raises(ImportRefused, match="name an empty one"):
        imported(target, pack)


def test_a_pack_that_begins_in_the_middle_of_a_workflow_is_refused(
    source: OpenStore, target: str, tmp_path: Path
) -> None:
    [workflow_id] = write(source, 1)
    since = datetime.now(UTC)
    record(source, [increment(id=workflow_id)])
    kept = KeptLog(source.dsn, tmp_path)
    kept.follow()
    pack = write_pack(kept, tmp_path / "pack.zip", asked(since=since))
    with pytest.raises(ImportRefused, match="export it without --since"):
        imported(target, pack)
    assert not select(target, PLACES)


def test_the_command_imports_by_the_keys_that_are_trusted(
    pack: Path, target: str, tmp_path: Path
) -> None:
    policy, other = tmp_path / "policy", tmp_path / "other"
    policy.write_bytes(read_pack(pack)["policy"])
    other.write_bytes(policy.read_bytes().replace(b"log workflows", b"log somebody"))
    given = ("import", str(pack), "--database-url", target, "--policy")
    assert "is no sound pack" in refusal(*given, str(other))
    assert answer(*given, str(policy), "--json") == {"events": 4, "workflows": 2}
