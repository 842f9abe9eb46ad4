"""A search through the bytes of all files finds nothing of a user who was erased.

The database is scrubbed first, as scrub.sql says. Its write-ahead log is not searched: it forgets
by its own retention, as backups do. Nor are memory, traces, and request ids in the log of calls.
"""

import random
import string
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from workflows import admin_pb2 as admin
from workflows import history_pb2 as pb
from workflows.admin_pb2_grpc import WorkflowAdminServiceStub
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.migrate import migrate
from tests.support.bytesearch import found, scrub
from tests.support.command_line import answer
from tests.support.database import value
from tests.support.service import Service
from tests.support.waiting import until

# Without a repetition, so that the database does not compress it.
SECRET = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=6000))
WORDS = {
    "user": "erna.musterfrau@example.com",
    "name": "ErnasSecretReport",
    "payload": "https://erna.example/invoices",
    "large payload": SECRET[3000:3050],
    "idempotency key": "ernas-key-4711",
    "job id": "ernas-job-0815",
}
USER, NAME = WORDS["user"], WORDS["name"]


@pytest.fixture
def dsn(tmp_path: Path) -> Iterator[str]:
    """A migrated database with files of its own."""
    server = EmbeddedPostgres(tmp_path / "database")
    migrate(server.dsn)
    yield server.dsn
    server.stop()


@pytest.fixture
def service(dsn: str, tmp_path: Path) -> Iterator[Service]:
    """A service that writes a line for every call."""
    environment = {
        "WORKFLOWS_DATA_DIR": str(tmp_path / "kept"),
        "WORKFLOWS_LOG_DIR": str(tmp_path / "log"),
        "WORKFLOWS_LOG_EVERY": "0.1",
        "WORKFLOWS_LOG_CALLS": "all",
    }
    with Service("--database-url", dsn, **environment) as service:
        yield service


def live(service: Service) -> None:
    """Lets the user do and suffer all that leaves something somewhere."""
    client = service.client
    client.created("bob", idempotency_key="bobs-key")
    for number in range(20):  # So many that the planner's statistics name them.
        client.created(USER, name=f"{NAME} {number}")
    payload = f'{{"url": "{WORDS["payload"]}", "headers": {{"x-secret": "{SECRET}"}}}}'
    mine = client.created(
        USER, name=NAME, kind="http", payload=payload, idempotency_key=WORDS["idempotency key"]
    )
    client.increment(mine, WORDS["job id"])
    client.update(mine, USER, name=f"{NAME} again", payload=f'{{"url": "{WORDS["payload"]}/2"}}')
    client.delete(client.created(USER, name=f"{NAME} gone"), USER)
    channel = client.channel
    histories, administration = (
        WorkflowHistoryServiceStub(channel),
        WorkflowAdminServiceStub(channel),
    )
    histories.ListWorkflowsAsOf(pb.ListWorkflowsAsOfRequest(user_id=USER), timeout=10)
    administration.HoldUser(admin.HoldUserRequest(user_id=USER, reason="case 7"), timeout=10)
    administration.ReleaseHold(admin.ReleaseHoldRequest(user_id=USER, reason="over"), timeout=10)
    with pytest.raises(grpc.RpcError):
        histories.GetWorkflowHistory(
            pb.GetWorkflowHistoryRequest(id=mine, user_id=f"{USER} "), timeout=10
        )


def holds(service: Service, dsn: str) -> bool:
    """Whether the whole feed and all rows are in order."""
    history = WorkflowHistoryServiceStub(service.client.channel)
    *_, last = history.VerifyFeed(pb.VerifyFeedRequest(), timeout=60)
    checked = answer("check", "--database-url", dsn, "--json")
    verdicts = (last.report.integrity, last.report.completeness)
    return all(verdict.holds for verdict in verdicts) and not checked["damaged"]


def test_no_byte_of_an_erased_user_is_left(service: Service, dsn: str, tmp_path: Path) -> None:
    live(service)
    events = value(dsn, "SELECT max(notification_id) FROM workflow_events")
    searched = "SELECT count(*) FROM event_search"
    until(lambda: value(dsn, searched) == events)
    scrub(dsn)
    assert found(WORDS, tmp_path, service.log()).keys() == WORDS.keys()
    assert holds(service, dsn)

    erased = answer(
        "erase", "--user", USER, "--reason", "request 7", "--legal-basis", "GDPR Art. 17(1)(a)",
        "--target", service.address, "--json",
    )  # fmt: skip
    assert erased["workflows"] == 22
    assert erased["search_entries"] == events - 1
    scrub(dsn)

    assert found(WORDS, tmp_path, service.log()) == {}
    assert holds(service, dsn)
    assert len(service.client.walk("bob")) == 1
