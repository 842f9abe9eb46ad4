"""Reading the history of others is recorded, or refused; reading one's own is not."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from workflows import admin_pb2 as admin
from workflows import history_pb2 as pb
from workflows import workflows_pb2
from workflows.admin_pb2_grpc import WorkflowAdminServiceStub
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

from application.access import Role
from infrastructure.rpc.method import MethodRow
from infrastructure.wiring.services import TABLES
from tests.support.command_line import answer, workflows
from tests.support.database import execute, select
from tests.support.service import Service
from tests.support.tokens import AUDIENCE, ISSUER, claims, jwks, token
from tests.support.tokens import KEY as OLD

LOGGED = "SELECT actor, method, user_id, workflow_id::text, request_id FROM access_log ORDER BY id"
ASKED = pb.ListWorkflowsAsOfRequest(user_id="alice")
_, HISTORY, _ = TABLES
RECORDED = {name for name, rule in HISTORY.rules().items() if rule.recorded}


@pytest.fixture
def alices(database: str) -> str:
    """A workflow of alice's."""
    with Service("--database-url", database) as service:
        return service.client.created("alice")


@pytest.fixture
def channel(database: str, alices: str, tmp_path: Path) -> Iterator[grpc.Channel]:
    """A channel to a service that asks for tokens."""
    keys = tmp_path / "keys.json"
    keys.write_bytes(jwks(OLD))
    environment = {
        "WORKFLOWS_AUTH": "jwt",
        "WORKFLOWS_JWT_KEYS": str(keys),
        "WORKFLOWS_JWT_ISSUERS": ISSUER,
        "WORKFLOWS_JWT_AUDIENCES": AUDIENCE,
        "WORKFLOWS_INTERNAL_LISTEN": "127.0.0.1:0",
    }
    with (
        Service("--database-url", database, **environment) as service,
        grpc.insecure_channel(service.announced["internal"]) as channel,
    ):
        yield channel


def by(subject: str, role: Role) -> dict[str, Any]:
    """What a call by this subject has beside its request."""
    bearer = token(claims(sub=subject, role=role, jti=None), key=OLD)
    return {
        "metadata": (("authorization", f"Bearer {bearer}"), ("x-request-id", "r-1")),
        "timeout": 10,
    }


def test_only_the_reads_of_others_are_recorded(channel: grpc.Channel, database: str) -> None:
    lists = WorkflowHistoryServiceStub(channel).ListWorkflowsAsOf
    lists(ASKED, **by("alice", Role.USER))
    assert not select(database, LOGGED)
    lists(ASKED, **by("eve", Role.AUDITOR))
    [logged] = select(database, LOGGED)
    assert logged == (f"{ISSUER}|eve", "ListWorkflowsAsOf", "alice", None, "client:r-1")


def test_what_cannot_be_recorded_is_refused_in_words(channel: grpc.Channel, database: str) -> None:
    lists = WorkflowHistoryServiceStub(channel).ListWorkflowsAsOf
    execute(database, "ALTER TABLE access_log RENAME TO gone")
    with pytest.raises(grpc.RpcError) as refused:
        lists(ASKED, **by("eve", Role.AUDITOR))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "cannot be recorded, so it is refused" in str(refused.value.details())
    lists(ASKED, **by("alice", Role.USER))


def request(name: str, workflow_id: str) -> Any:
    """A request for the history of a workflow, or of the feed if the method is about that."""
    rows = {row.name: row for row in (*HISTORY.methods, *HISTORY.streams)}
    message = rows[name].request()
    fields = message.DESCRIPTOR.fields_by_name
    if "id" in fields:
        message.id = workflow_id
    if "position" in fields:
        message.position = 1
    if "filter" in fields:
        message.filter.workflow_id = workflow_id
    if "create" in fields:
        message.delete.CopyFrom(
            workflows_pb2.DeleteWorkflowRequest(id=workflow_id, user_id="alice")
        )
    if name == "ListWorkflowsAsOf":
        message.user_id = "alice"
    return message


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_every_method_that_reads_history_is_recorded_with_whose_it_was(
    channel: grpc.Channel, database: str, alices: str, name: str
) -> None:
    roles = HISTORY.rules()[name].roles
    call = by("eve", Role.AUDITOR if Role.AUDITOR in roles else Role.ADMIN)
    path, asked = f"/{HISTORY.name}/{name}", request(name, alices).SerializeToString()
    if name in {row.name for row in HISTORY.methods if isinstance(row, MethodRow)}:
        channel.unary_unary(path).future(asked, **call).exception(10)
    else:
        stream: Any = channel.unary_stream(path)(asked, **call)
        with suppress(grpc.RpcError):  # There is no log to export proofs from.
            next(stream, None)
        stream.cancel()
    [(actor, method, user_id, workflow_id, _)] = select(database, LOGGED)
    assert (actor, method) == (f"{ISSUER}|eve", name)
    if name != "VerifyFeed":
        assert (user_id, workflow_id) == ("alice", None if "List" in name else alices)


def test_a_new_method_that_reads_history_is_recorded() -> None:
    assert {name for name, rule in HISTORY.rules().items() if not rule.recorded} == {
        "GetCheckpoint"
    }


def test_nothing_proves_whom_an_anonymous_caller_may_read(alices: str, database: str) -> None:
    with Service("--database-url", database) as service:
        history = WorkflowHistoryServiceStub(service.client.channel).GetWorkflowHistory
        history(pb.GetWorkflowHistoryRequest(id=alices, user_id="alice"), timeout=10)
    [(actor, method, user_id, logged, _)] = select(database, LOGGED)
    assert (actor, method) == ("anonymous", "GetWorkflowHistory")
    assert (user_id, logged) == ("alice", alices)


def test_a_name_that_is_no_users_is_not_kept(channel: grpc.Channel, database: str) -> None:
    asked = pb.ListWorkflowsAsOfRequest(user_id="erased before")
    WorkflowHistoryServiceStub(channel).ListWorkflowsAsOf(asked, **by("eve", Role.AUDITOR))
    [(_, method, user_id, _, _)] = select(database, LOGGED)
    assert (method, user_id) == ("ListWorkflowsAsOf", None)


def test_accesses_are_listed_by_whom_whose_and_when(
    channel: grpc.Channel, database: str, alices: str
) -> None:
    history = WorkflowHistoryServiceStub(channel)
    for reader in ("eve", "max", "eve"):
        history.ListWorkflowsAsOf(ASKED, **by(reader, Role.AUDITOR))
    history.GetWorkflowHistory(pb.GetWorkflowHistoryRequest(id=alices), **by("eve", Role.AUDITOR))
    method = WorkflowAdminServiceStub(channel).ListAccesses

    def listed(**asked: Any) -> list[tuple[str, str]]:
        """Who read by which method, of all pages."""
        found: list[tuple[str, str]] = []
        question = admin.ListAccessesRequest(page_size=2, **asked)
        while True:
            page = method(question, **by("root", Role.ADMIN))
            found += [(each.actor.partition("|")[2], each.method) for each in page.accesses]
            if not page.cursor:
                return found
            question.cursor = page.cursor

    lists, histories = "ListWorkflowsAsOf", "GetWorkflowHistory"
    whole = [("eve", histories), ("eve", lists), ("max", lists), ("eve", lists)]
    assert listed() == listed(user_id="alice") == whole
    assert listed(actor=f"{ISSUER}|max") == [("max", lists)]
    assert listed(workflow_id=alices) == [("eve", histories)]
    assert not listed(user_id="bob")
    [(third,)] = select(database, "SELECT accessed_at FROM access_log ORDER BY id OFFSET 2 LIMIT 1")
    moment = Timestamp()
    moment.FromDatetime(third)
    assert listed(since=moment) == whole[:2]
    assert listed(until=moment) == whole[2:]


def test_a_token_in_the_actor_narrows_the_list(database: str) -> None:
    execute(
        database,
        "INSERT INTO access_log (actor, caller, method, request_id) VALUES"
        " ('i|eve#1', 'i|eve', 'A', ''), ('i|eve#2', 'i|eve', 'B', ''),"
        " ('i|eve', 'i|eve', 'C', '')",
    )

    def methods(actor: str) -> list[str]:
        """Those that the command shows."""
        found = answer("accesses", "--actor", actor, "--target", service.address, "--json")
        return [each["method"] for each in found["accesses"]]

    with Service("--database-url", database) as service:
        assert methods("i|eve") == ["C", "B", "A"]
        assert methods("i|eve#1") == ["A"]
        assert "3 accesses" in workflows("accesses", "--target", service.address).stdout
