"""A user is erased through the service and its command line, and a hold refuses it."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from workflows import admin_pb2 as pb
from workflows.admin_pb2_grpc import WorkflowAdminServiceStub

from infrastructure.cli.past.asking import plain
from tests.support.command_line import answer, one_line, refusal, workflows
from tests.support.database import execute, value
from tests.support.service import NotStarted, Service

USER = ("--user", "alice", "--reason", "request 7")
BASIS = ("--legal-basis", "GDPR Art. 17(1)(a)")


@pytest.fixture
def service(database: str, tmp_path: Path) -> Iterator[Service]:
    """A service that keeps its receipts in the folder of the test."""
    with Service("--database-url", database, "--data-dir", str(tmp_path)) as service:
        yield service


def erased(service: Service, user: str = "alice") -> Any:
    """What the command says of an erasure."""
    given = ("erase", "--user", user, "--reason", "request 7", *BASIS)
    return answer(*given, "--target", service.address, "--json")


def test_a_user_is_held_released_and_erased(
    service: Service, database: str, tmp_path: Path
) -> None:
    mine, others = service.client.created("alice"), service.client.created("bob")
    where = ("--target", service.address)
    assert workflows("hold", *USER, *where).exit_code == 0
    refused = workflows("erase", *USER, *BASIS, *where)
    assert refused.exit_code == 1
    assert "USER_HELD" in refused.output
    assert workflows("release", *USER, *where).exit_code == 0
    done = erased(service)
    assert (done["workflows"], done["events"]) == (1, 1)
    assert mine in done["receipt"]
    assert not service.client.walk("alice")
    assert len(service.client.walk("bob")) == 1
    assert others not in done["receipt"]
    assert service.client.created("alice")
    assert value(database, "SELECT count(*) FROM erasures WHERE receipt IS NOT NULL") == 1
    assert (tmp_path / "receipts" / done["receipt_id"]).read_text() == done["receipt"]


def test_what_was_erased_names_its_receipt_wherever_it_stood(
    service: Service, tmp_path: Path
) -> None:
    mine = service.client.created("alice")
    done = erased(service)
    where = ("--target", service.address)
    [listed] = answer("erasures", *where, "--json")["erasures"]
    expected = {"receipt_id": done["receipt_id"], "erased_at": listed["erased_at"]}
    for command in (("as-of", mine), ("diff", mine, "0"), ("history", mine)):
        found = answer(*command, *where, "--json")
        [stood] = found.get("events", [found])
        assert stood["erased"] == expected
        assert not {"changes", "cause", "workflow"} & stood.keys()
        said = one_line(workflows(*command, *where, "--utc").stdout)
        day = listed["erased_at"][:10]
        assert f"[erased on {day} " in said
        assert f", receipt {done['receipt_id']}]" in said
    picture = tmp_path / "history.svg"
    assert workflows("history", mine, *where, "--svg", str(picture)).exit_code == 0
    assert done["receipt_id"] in picture.read_text(encoding="utf-8")


def test_erasures_are_listed_page_by_page_each_with_its_proof(service: Service) -> None:
    where = ("--target", service.address)
    receipts = []
    for user in ("alice", "bob", "carol"):
        service.client.created(user)
        receipts.append(erased(service, user)["receipt_id"])
    listed = answer("erasures", *where, "--json")["erasures"]
    assert [each["receipt_id"] for each in listed] == receipts[::-1]
    method = WorkflowAdminServiceStub(service.client.channel).ListErasures
    first = method(pb.ListErasuresRequest(page_size=2), timeout=10)
    second = method(pb.ListErasuresRequest(page_size=2, cursor=first.cursor), timeout=10)
    assert [plain(each) for each in (*first.erasures, *second.erasures)] == listed
    assert not second.cursor
    result = workflows("erasures", receipts[0], *where)
    assert sha256(listed[-1]["receipt"].encode()).hexdigest() in result.stdout
    assert "c2sp.org/tlog-proof@v1\nindex 0\n" in result.stdout
    assert "quorum none" in result.stdout
    assert "No erasure has the receipt" in refusal(
        "erasures", service.client.created("dora"), *where
    )


def test_a_server_without_followers_erases_nobody_and_needs_no_folder(
    service: Service, database: str, tmp_path: Path
) -> None:
    service.client.created("alice")
    service.client.created("bob")
    erased(service, "bob")
    occupied = tmp_path / "occupied"
    occupied.write_text("no folder can be made here")
    nowhere = ("--database-url", database, "--data-dir", str(occupied))
    with Service(*nowhere, "--no-followers") as replica:
        refused = workflows("erase", *USER, *BASIS, "--target", replica.address)
        assert "ERASES_ELSEWHERE" in refused.output
        counted = ("erase", *USER, *BASIS, "--validate-only", "--target", replica.address, "--json")
        assert answer(*counted)["workflows"] == 1
        assert len(replica.client.walk("alice")) == 1
        [listed] = answer("erasures", "--target", replica.address, "--json")["erasures"]
        assert "proof" not in listed
    with Service(*nowhere) as other, pytest.raises(NotStarted, match="cannot be kept in"):
        assert other.announced


def test_a_restored_database_is_erased_again_before_it_is_served(
    database: str, postgres: str, tmp_path: Path
) -> None:
    name = conninfo_to_dict(database)["dbname"]
    backup = make_conninfo(database, dbname=f"{name}_backup")
    kept = ("--data-dir", str(tmp_path))
    with Service("--database-url", database, *kept) as service:
        mine = service.client.created("alice")
    execute(postgres, f"CREATE DATABASE {name}_backup TEMPLATE {name}")
    try:
        with Service("--database-url", database, *kept) as service:
            done = erased(service)
        with Service("--database-url", backup, *kept) as restored:
            [event] = answer("history", mine, "--target", restored.address, "--json")["events"]
            assert event["erased"]["receipt_id"] == done["receipt_id"]
            assert not restored.client.walk("alice")
            [listed] = answer("erasures", "--target", restored.address, "--json")["erasures"]
        assert (listed["receipt"], listed["proof"]) == (done["receipt"], done["proof"])
    finally:
        execute(postgres, f"DROP DATABASE {name}_backup WITH (FORCE)")
