"""Who may call what: every method, for every role, owner and credential, through every door.

The cells are made from the table of methods, so a method that is added is tested without more work.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from joserfc.jwk import OKPKey
from workflows.workflows_pb2 import CreateWorkflowResponse

from application.access import Door, Role, Rule
from infrastructure.rpc.method import MethodRow, StreamRow
from infrastructure.wiring.services import TABLES
from tests.support.service import Service
from tests.support.tokens import AUDIENCE, FORGED, ISSUER, UNFIT, claims, jwks, token
from tests.support.tokens import KEY as OLD
from tests.support.waiting import until

NOBODY = "0199c0de-0000-7000-8000-000000000001"
NEW = OKPKey.generate_key("Ed25519", {"kid": "two"})
SOON = 10.0  # seconds
A_LITTLE = 3.0  # seconds: a stream that is admitted may have nothing to send
Code = grpc.StatusCode
REFUSED = (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.UNIMPLEMENTED)
SPOOFED = (("role", "admin"), ("audience", "internal"), ("x-role", "service"))
METHODS = {
    f"{table.name}/{row.name}": (row, table.rules()[row.name])
    for table in TABLES
    for row in (*table.methods, *table.streams)
}
UNARY = [name for name, (row, _) in METHODS.items() if isinstance(row, MethodRow)]


@dataclass(frozen=True)
class Cell:
    """One call: who makes it, for whom, and what it says of itself."""

    words: str
    bearer: str | None
    owner: str
    roles: frozenset[Role] | None
    metadata: tuple[tuple[str, str], ...] = ()

    def expected(self, rule: Rule, door: Door) -> grpc.StatusCode | None:
        """The code of the refusal; None if the call is admitted."""
        if door is Door.PUBLIC and rule.door is Door.INTERNAL:
            return Code.UNIMPLEMENTED
        if self.roles is None:
            return Code.UNAUTHENTICATED
        admitted = self.roles & rule.roles
        if not admitted or (rule.own and admitted == {Role.USER} and self.owner != "alice"):
            return Code.PERMISSION_DENIED
        return None


def cells() -> Iterator[Cell]:
    """All of them, for the subject alice."""
    for owner in ("alice", "bob"):
        for role in Role:
            bearer = token(claims(role=role), key=OLD)
            yield Cell(f"{role} for {owner}", bearer, owner, frozenset({role}))
            yield Cell(f"{role} for {owner}, spoofing", bearer, owner, frozenset({role}), SPOOFED)
    yield Cell("no token", None, "alice", None)
    yield Cell("no token, spoofing", None, "alice", None, SPOOFED)
    for words, forged in FORGED.items():
        if words != "long":  # It is more metadata than the wire takes.
            yield Cell(words, forged(), "alice", None)
    for words, unfit in UNFIT.items():
        yield Cell(words, token(unfit(), key=OLD), "alice", None)


def authorization(cell: Cell) -> tuple[tuple[str, str], ...]:
    """The metadata of a call."""
    bearer = (("authorization", f"Bearer {cell.bearer}"),) if cell.bearer is not None else ()
    return (*bearer, *cell.metadata)


def request(row: StreamRow[Any, Any], owner: str) -> Any:
    """A request that names an owner, if the method has one, and a workflow that nobody has."""
    message: Any = row.request()
    fields = row.request.DESCRIPTOR.fields_by_name
    if "id" in fields:
        message.id = NOBODY
    if "user_id" in fields:
        message.user_id = owner
    elif "filter" in fields:
        message.filter.user_id = owner
    elif "terminate" in fields:
        message.terminate.id, message.terminate.user_id = NOBODY, owner
    assert row.owner is None or row.owner(message) == owner
    return message


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the keys that the service accepts."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    path.write_bytes(jwks(OLD))
    return path


def settings(keys: Path) -> Mapping[str, str]:
    """What makes a service ask for tokens."""
    return {
        "WORKFLOWS_AUTH": "jwt",
        "WORKFLOWS_JWT_KEYS": str(keys),
        "WORKFLOWS_JWT_ISSUERS": ISSUER,
        "WORKFLOWS_JWT_AUDIENCES": AUDIENCE,
    }


@pytest.fixture(scope="module")
def guarded(shared_database: str, wire: str, keys: Path) -> Iterator[Service]:
    """A service with every door that asks for tokens."""
    environment = {
        **settings(keys),
        "WORKFLOWS_WIRE": wire,
        "WORKFLOWS_INTERNAL_LISTEN": "127.0.0.1:0",
        "WORKFLOWS_HTTP_LISTEN": "127.0.0.1:0",
        "WORKFLOWS_DATA_DIR": str(keys.parent),
    }
    with Service("--database-url", shared_database, **environment) as service:
        yield service


@pytest.fixture(scope="module")
def channels(guarded: Service) -> Iterator[Mapping[Door, grpc.Channel]]:
    """A channel to each door."""
    with (
        grpc.insecure_channel(guarded.address) as public,
        grpc.insecure_channel(guarded.announced["internal"]) as internal,
    ):
        yield {Door.PUBLIC: public, Door.INTERNAL: internal}


@pytest.fixture(scope="module")
def http(guarded: Service) -> Iterator[httpx.Client]:
    """A client of the HTTP door."""
    base = f"http://{guarded.announced['http']}"
    with httpx.Client(base_url=base, trust_env=False, timeout=SOON) as client:
        yield client


def begun(channel: grpc.Channel, name: str, row: StreamRow[Any, Any], cell: Cell) -> Any:
    """A call that was begun."""
    message = request(row, cell.owner).SerializeToString()
    metadata = authorization(cell)
    if isinstance(row, MethodRow):
        return channel.unary_unary(f"/{name}").future(message, timeout=SOON, metadata=metadata)
    return channel.unary_stream(f"/{name}")(message, timeout=A_LITTLE, metadata=metadata)


def code_of(call: Any, row: StreamRow[Any, Any]) -> grpc.StatusCode:
    """The code with which a call ended; OK for a stream as soon as it sends something."""
    if not isinstance(row, MethodRow):
        try:
            next(call, None)
        except grpc.RpcError:
            return Code(call.code())
        call.cancel()
        return Code.OK
    call.exception(SOON)
    return Code(call.code())


@pytest.mark.parametrize("door", Door)
@pytest.mark.parametrize("name", METHODS)
def test_every_cell_of_the_table_of_access(
    channels: Mapping[Door, grpc.Channel], name: str, door: Door
) -> None:
    row, rule = METHODS[name]
    every = list(cells())

    calls = [begun(channels[door], name, row, cell) for cell in every]

    codes = {cell.words: code_of(call, row) for cell, call in zip(every, calls, strict=True)}
    expected = {cell.words: cell.expected(rule, door) for cell in every}
    assert {words: code if code in REFUSED else None for words, code in codes.items()} == expected
    assert Code.INTERNAL not in codes.values()


@pytest.mark.parametrize(
    "name", [n for n, (row, _) in METHODS.items() if isinstance(row, MethodRow)]
)
def test_the_same_table_holds_through_http(http: httpx.Client, name: str) -> None:
    row, rule = METHODS[name]

    for cell in cells():
        asked = MessageToDict(request(row, cell.owner), preserving_proto_field_name=True)
        headers = {key: value.strip() for key, value in authorization(cell)}
        answer = http.post(f"/{name}", json=asked, headers=headers)

        code = answer.json().get("code", "ok").upper() if answer.status_code != 200 else "OK"
        expected = cell.expected(rule, Door.PUBLIC)
        if expected is None:
            assert code not in [each.name for each in REFUSED], cell.words
        else:
            assert code == expected.name, cell.words


def test_every_method_of_the_contracts_is_in_the_table() -> None:
    assert METHODS.keys() == {f"{t.name}/{m.name}" for t in TABLES for m in t.descriptor.methods}


def refusal(channel: grpc.Channel, bearer: str, workflow_id: str) -> tuple[grpc.StatusCode, str]:
    """How a lookup of alice's workflow is refused."""
    row, _ = METHODS["workflows.WorkflowsService/GetWorkflow"]
    asked = row.request(id=workflow_id, user_id="alice").SerializeToString()
    call: Any = channel.unary_unary("/workflows.WorkflowsService/GetWorkflow").future(
        asked, timeout=SOON, metadata=(("authorization", f"Bearer {bearer}"),)
    )
    call.exception(SOON)
    return call.code(), call.details()


def test_who_may_not_look_does_not_learn_whether_a_thing_exists(
    channels: Mapping[Door, grpc.Channel],
) -> None:
    channel = channels[Door.PUBLIC]
    mine = created(channel, token())
    denied = refusal(channel, token(claims(sub="mallory")), mine)

    assert denied[0] is Code.PERMISSION_DENIED
    assert denied == refusal(channel, token(claims(sub="mallory")), NOBODY)
    assert refusal(channel, "stranger", mine) == refusal(channel, "stranger", NOBODY)


def created(channel: grpc.Channel, bearer: str, key: str = "") -> str:
    """The id of a new workflow of alice's."""
    row, _ = METHODS["workflows.WorkflowsService/CreateWorkflow"]
    asked = row.request(
        user_id="alice", name="n", kind="script", payload="{}", interval=1,
        max_consecutive_job_failures_allowed=1, idempotency_key=key,
    )  # fmt: skip
    answer: bytes = channel.unary_unary("/workflows.WorkflowsService/CreateWorkflow")(
        asked.SerializeToString(),
        timeout=SOON,
        metadata=(("authorization", f"Bearer {bearer}"),),
    )
    return CreateWorkflowResponse.FromString(answer).id


def test_a_key_that_is_rotated_out_ends_its_tokens_without_a_restart(
    channels: Mapping[Door, grpc.Channel], keys: Path
) -> None:
    channel = channels[Door.PUBLIC]
    old, new = token(), token(key=NEW, kid="two")
    assert refusal(channel, old, NOBODY)[0] is Code.NOT_FOUND
    assert refusal(channel, new, NOBODY)[0] is Code.UNAUTHENTICATED

    keys.write_bytes(jwks(NEW))
    until(lambda: refusal(channel, new, NOBODY)[0] is Code.NOT_FOUND)

    assert refusal(channel, old, NOBODY)[0] is Code.UNAUTHENTICATED
    keys.write_bytes(jwks(OLD))
    until(lambda: refusal(channel, old, NOBODY)[0] is Code.NOT_FOUND)
