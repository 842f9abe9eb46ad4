"""Reading the history of others is recorded, or refused; reading one's own is not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from workflows import history_pb2 as pb
from workflows import workflows_pb2
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

from application.access import Role
from infrastructure.rpc.method import MethodRow
from infrastructure.wiring.services import TABLES
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
        next(iter(stream), None)
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
