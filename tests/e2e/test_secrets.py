"""What nobody may find in what a service says of itself: credentials, and what its users keep."""

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import httpx
import psutil
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from workflows import workflows_pb2 as pb

from application.access import Role
from infrastructure.rpc.method import MethodRow, StreamRow
from infrastructure.wiring.services import TABLES
from tests.support.collector import Collector
from tests.support.database import execute
from tests.support.service import NotStarted, Service
from tests.support.tokens import AUDIENCE, FORGED, ISSUER, KEY, UNFIT, claims, jwks, token
from tests.support.waiting import until

NAME, PAYLOAD, QUERY = "canary of a name", '{"canary": "of a payload"}', "canary of a query"
IDEMPOTENCY_KEY, JOB, PASSWORD = "canary-of-a-key", "canary-of-a-job", "canary-of-a-password"
REFUSED_NAME = f"{NAME} that the database refuses"
BEARERS = [
    *(token(claims(role=role)) for role in Role),
    *(forged() for forged in FORGED.values()),
    *(token(unfit()) for unfit in UNFIT.values()),
]
SECRETS = [
    "canary",
    *{part for bearer in BEARERS for part in bearer.split(".")[1:] if len(part) > 9},
]
ROWS = {
    f"{table.name}/{row.name}": row for table in TABLES for row in (*table.methods, *table.streams)
}
TEXTS = {
    "name": NAME, "payload": PAYLOAD, "query": QUERY, "idempotency_key": IDEMPOTENCY_KEY,
    "job_id": JOB, "kind": "script", "build_status": "building",
}  # fmt: skip
SOON = 10.0  # seconds
A_LITTLE = 0.3  # seconds: a stream may have nothing to send


@pytest.fixture
def dsn(database: str) -> Iterator[str]:
    """The database by the name and the password of an account of this test's own."""
    execute(database, f"CREATE ROLE canary SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
    yield make_conninfo(database, user="canary", password=PASSWORD)
    execute(database, "DROP ROLE canary")


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Where traces go."""
    with closing(Collector()) as collector:
        yield collector


@pytest.fixture
def service(dsn: str, collector: Collector, tmp_path: Path) -> Iterator[Service]:
    """A service that asks for tokens and tells all that it can."""
    keys = tmp_path / "keys.json"
    keys.write_bytes(jwks(KEY))
    with Service(
        WORKFLOWS_DATABASE_URL=dsn,
        WORKFLOWS_AUTH="jwt",
        WORKFLOWS_JWT_KEYS=str(keys),
        WORKFLOWS_JWT_ISSUERS=ISSUER,
        WORKFLOWS_JWT_AUDIENCES=AUDIENCE,
        WORKFLOWS_HTTP_LISTEN="127.0.0.1:0",
        WORKFLOWS_WORKERS="2",
        WORKFLOWS_DATA_DIR=str(tmp_path),
        WORKFLOWS_TRACES=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="100",
        NO_PROXY="127.0.0.1",
    ) as service:
        yield service


def test_nothing_that_is_secret_is_said_anywhere(
    service: Service, collector: Collector, database: str
) -> None:
    said: list[str] = [str(service.announced)]
    processes = psutil.Process(service.pid)
    users = [("authorization", f"Bearer {BEARERS[0]}")]
    channel: Any
    with grpc.insecure_channel(service.address) as channel:
        created = channel.unary_unary("/workflows.WorkflowsService/CreateWorkflow")(
            filled(pb.CreateWorkflowRequest(), "").SerializeToString(),
            metadata=users, timeout=SOON
        )  # fmt: skip
        workflow_id = pb.CreateWorkflowResponse.FromString(created).id
        said += calls(channel, service, workflow_id)
        said += trouble(channel, service, workflow_id, database)
    said += [" ".join(each.cmdline()) for each in (processes, *processes.children(recursive=True))]
    base = f"http://{service.announced['http']}"
    said += [httpx.get(f"{base}{page}", trust_env=False).text for page in ("/metrics", "/readyz")]
    until(lambda: len(collector.spans) > len(ROWS))
    service.stop()
    said += [str(span) for span in collector.spans]
    said += service.log().splitlines()

    assert any("CreateWorkflow" in line and '"event":"call"' in line for line in said)
    assert any("violates check constraint" in line for line in said)
    found = {secret: [line[:300] for line in said if secret in line] for secret in SECRETS}
    assert {secret: lines for secret, lines in found.items() if lines} == {}


def test_a_password_that_is_wrong_is_not_said_either(database: str) -> None:
    parts: dict[str, Any] = conninfo_to_dict(database) | {"user": "nobody", "password": PASSWORD}
    where = "&".join(f"{key}={quote(str(parts[key]))}" for key in ("host", "port") if key in parts)
    for dsn in (
        make_conninfo(**parts),
        f"postgresql://nobody:{PASSWORD}@/{parts['dbname']}?{where}",
        f"postgresql://nobody:{PASSWORD}@[half",
    ):
        with Service(WORKFLOWS_DATABASE_URL=dsn) as service, pytest.raises(NotStarted) as refused:
            _ = service.announced
        assert PASSWORD not in str(refused.value)


def filled(message: Message, workflow_id: str) -> Any:
    """A request whose texts are all secret, but for the owner and the workflow."""
    for field in message.DESCRIPTOR.fields:
        if field.name == "user_id":
            message.user_id = "alice"  # type: ignore[attr-defined]
        elif field.name == "id":
            message.id = workflow_id  # type: ignore[attr-defined]
        elif field.type == field.TYPE_STRING and not field.is_repeated:
            setattr(message, field.name, TEXTS.get(field.name, f"canary of {field.name}"))
        elif field.name in ("interval", "max_consecutive_job_failures_allowed"):
            setattr(message, field.name, 5)
        elif field.type == field.TYPE_MESSAGE and not field.is_repeated and field.name == "filters":
            filled(getattr(message, field.name), workflow_id)
    return message


def calls(channel: Any, service: Service, workflow_id: str) -> list[str]:
    """Every method by every credential, through both doors; what the refusals say."""
    said: list[str] = []
    door = f"http://{service.announced['http']}"
    with httpx.Client(base_url=door, trust_env=False, timeout=SOON) as http:
        for bearer in BEARERS:
            for name, row in ROWS.items():
                message = filled(row.request(), workflow_id)
                said += refusal(channel, name, row, message, bearer)
                if isinstance(row, MethodRow):
                    asked = MessageToDict(message, preserving_proto_field_name=True)
                    headers = {"authorization": f"Bearer {bearer}".strip()}
                    answer = http.post(f"/{name}", json=asked, headers=headers)
                    said += [str(answer.headers), answer.text * (answer.status_code != 200)]
        broken = (f'{{"name": "{NAME}', '{"interval": "canary"}', f'{{"name": ["{NAME}"]}}')
        for body in broken:
            headers = {"content-type": "application/json"}
            path = "/workflows.WorkflowsService/CreateWorkflow"
            said.append(http.post(path, content=body, headers=headers).text)
    return said


def refusal(
    channel: Any, name: str, row: StreamRow[Any, Any], message: Message, bearer: str
) -> list[str]:
    """How a call by gRPC ends, if it is refused."""
    sent, metadata = message.SerializeToString(), [("authorization", f"Bearer {bearer}")]
    try:
        if isinstance(row, MethodRow):
            channel.unary_unary(f"/{name}")(sent, timeout=SOON, metadata=metadata)
        else:
            with suppress(StopIteration):
                next(channel.unary_stream(f"/{name}")(sent, timeout=A_LITTLE, metadata=metadata))
    except grpc.RpcError as error:
        call: Any = error
        return [str(call.details()), str(call.trailing_metadata())]
    return []


def trouble(channel: Any, service: Service, workflow_id: str, database: str) -> list[str]:
    """Calls that the database refuses for what they hold, or fails; what the refusals say."""
    said: list[str] = []
    create = ROWS["workflows.WorkflowsService/CreateWorkflow"]
    refused = filled(pb.CreateWorkflowRequest(), "")
    refused.name, refused.idempotency_key = REFUSED_NAME, f"{IDEMPOTENCY_KEY} again"
    rule = "CHECK (name NOT LIKE '%refuses') NOT VALID"
    execute(database, f"ALTER TABLE workflows ADD CONSTRAINT refusing {rule}")
    said += refusal(
        channel, "workflows.WorkflowsService/CreateWorkflow", create, refused, BEARERS[0]
    )
    assert said, "the database took it"
    for change in ("workflows RENAME COLUMN name TO nome", "workflows RENAME COLUMN nome TO name"):
        execute(database, f"ALTER TABLE {change}")
        for name, row in ROWS.items():
            message = filled(row.request(), workflow_id)
            said += refusal(channel, name, row, message, BEARERS[1])
    return said
