"""The HTTP door: Connect's unary protocol around any method, on a real connection."""

import socket
from base64 import b64decode
from collections.abc import Iterator
from functools import partial
from threading import Event, Thread
from typing import Any

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from workflows import workflows_pb2 as pb

from domain.errors import WorkflowNotFound
from infrastructure.contract import SERVICE
from infrastructure.http.bounds import Bounds
from infrastructure.http.codec import HTTP_STATUS
from infrastructure.http.hosts import is_this_machine
from infrastructure.http.pages import application
from infrastructure.http.server import HttpServer
from infrastructure.rpc.errors import refusal_of
from infrastructure.rpc.served import Served
from infrastructure.wire.calls import Call

NAME = SERVICE.full_name
ID = "0199c0de-0000-7000-8000-000000000001"
GET = f"/{NAME}/GetWorkflow"
BOUNDS = Bounds(request_bytes=100_000)


class Methods:
    """What answers the calls of these tests."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, Call]] = []
        self.cancelled = Event()

    def get(self, request: bytes, call: Call) -> None:
        """Answers from another thread."""
        self.seen.append((request, call))
        answer = pb.GetWorkflowResponse(id=ID, name="Ünïcode", generation=7).SerializeToString()
        trailing = (("x-workflow-version", "7"), ("x-some-bin", b"\0\1"))
        Thread(target=call.answer, args=(answer, trailing)).start()

    def refuse(self, _: bytes, call: Call) -> None:
        """Refuses at once."""
        refusal = refusal_of(WorkflowNotFound(ID))
        call.refuse(refusal.code, refusal.text(), refusal.trailing())

    def hold(self, _: bytes, call: Call) -> None:
        """Never answers; notes that it was cancelled."""
        call.when_cancelled(self.cancelled.set)


@pytest.fixture
def methods() -> Methods:
    """The methods behind the door."""
    return Methods()


@pytest.fixture
def checks() -> dict[str, str]:
    """What readiness finds."""
    return {"database": "", "threads": ""}


@pytest.fixture
def door(methods: Methods, checks: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of a door that serves those methods."""
    served = {
        GET: methods.get,
        f"/{NAME}/DeleteWorkflow": methods.refuse,
        f"/{NAME}/TerminateWorkflow": methods.hold,
    }
    listening = socket.create_server(("127.0.0.1", 0))
    found = {name: partial(checks.__getitem__, name) for name in checks}
    page = (b"calls 1.0\n", "text/plain")
    app = application(
        Served([SERVICE], served), found, lambda: {"followers": 2}, lambda: page, BOUNDS
    )
    server = HttpServer(app, listening, BOUNDS)
    host, port = listening.getsockname()
    with httpx.Client(base_url=f"http://{host}:{port}", trust_env=False) as client:
        yield client
    server.close(within=1)


def test_json_in_and_out(door: httpx.Client, methods: Methods) -> None:
    answer = door.post(GET, json={"id": ID, "user_id": "ada"}, headers={"x-request-id": "r-1"})

    assert answer.status_code == 200
    assert answer.json()["name"] == "Ünïcode"
    assert answer.json()["generation"] == "7"
    assert answer.headers["trailer-x-workflow-version"] == "7"
    assert answer.headers["trailer-x-some-bin"] == "AAE"
    [(request, call)] = methods.seen
    assert pb.GetWorkflowRequest.FromString(request) == pb.GetWorkflowRequest(id=ID, user_id="ada")
    assert ("x-request-id", "r-1") in call.metadata
    assert call.peer.startswith("http:127.0.0.1:")


def test_protobuf_in_and_out(door: httpx.Client) -> None:
    request = pb.GetWorkflowRequest(id=ID).SerializeToString()

    answer = door.post(GET, content=request, headers={"content-type": "application/proto"})

    assert pb.GetWorkflowResponse.FromString(answer.content).id == ID


def test_a_refusal_is_an_error_of_connects_with_its_details(door: httpx.Client) -> None:
    answer = door.post(f"/{NAME}/DeleteWorkflow", json={})

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert ID in answer.json()["message"]
    info = answer.json()["details"][0]
    assert info["type"] == "google.rpc.ErrorInfo"
    padded = info["value"] + "=" * (-len(info["value"]) % 4)
    assert ErrorInfo.FromString(b64decode(padded)).reason == "WORKFLOW_NOT_FOUND"


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1:50080", True), ("127.9.9.9", True), ("localhost:1", True),
        ("[::1]:50080", True),
        ("LOCALHOST.", True), ("console.localhost", True), ("", True),
        ("example.com:50080", False), ("localhost.example.com", False), ("10.0.0.1:80", False),
        ("127.0.0.1.example.com:80", False), ("evil:", False),
    ],
)  # fmt: skip
def test_a_name_that_is_not_this_machines_is_known(host: str, near: bool) -> None:
    assert is_this_machine(host) is near


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"content": b"{"}, "is no GetWorkflowRequest"),
        ({"content": b"\xff"}, "is no GetWorkflowRequest"),
        ({"content": b"[" * 100_000}, "is no GetWorkflowRequest"),
        ({"json": []}, "is no GetWorkflowRequest"),
        ({"content": b'{"id": "\\ud800"}'}, "is no GetWorkflowRequest"),
        ({"json": {"name": "x"}}, "id, user_id"),
        ({"json": {}, "headers": {"connect-timeout-ms": "soon"}}, "connect-timeout-ms"),
    ],
    ids=["broken", "no-utf-8", "deep", "no-object", "surrogate", "unknown-field", "timeout"],
)
def test_a_body_that_is_no_request_is_refused_in_words(
    door: httpx.Client, sent: dict[str, Any], named: str
) -> None:
    headers = {"content-type": "application/json", **sent.pop("headers", {})}

    answer = door.post(GET, headers=headers, **sent)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")
    assert named in answer.json()["message"]


def test_a_body_that_is_too_large_is_refused(door: httpx.Client) -> None:
    for size in (100_001, 400_001):  # Of the message, and of a body that no message can have.
        body = b'{"id": "' + b"x" * size + b'"}'
        answer = door.post(GET, content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (429, "resource_exhausted")
    assert door.post(GET, json={"id": "x" * 99_000}).status_code == 200


def test_an_unknown_path_is_not_found(door: httpx.Client) -> None:
    assert door.post(f"/{NAME}/Nothing", json={}).json()["code"] == "unimplemented"
    assert door.post(f"/{NAME}/Nothing", json={}).status_code == 404
    assert door.get(GET).status_code == 405
    assert door.post(GET, content="id=1").status_code == 415
    zipped = {"content-encoding": "gzip", "content-type": "application/json"}
    assert door.post(GET, content=b"", headers=zipped).json()["code"] == "unimplemented"


def test_a_deadline_ends_the_call_and_cancels_it(door: httpx.Client, methods: Methods) -> None:
    answer = door.post(f"/{NAME}/TerminateWorkflow", json={}, headers={"connect-timeout-ms": "50"})

    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert methods.cancelled.is_set()


def test_a_client_that_disconnects_cancels_its_call(door: httpx.Client, methods: Methods) -> None:
    with pytest.raises(httpx.ReadTimeout):
        door.post(f"/{NAME}/TerminateWorkflow", json={}, timeout=0.2)

    assert methods.cancelled.wait(10)


def test_probes_name_what_fails_and_why(door: httpx.Client, checks: dict[str, str]) -> None:
    assert door.get("/livez").json() == {"status": "alive"}
    assert door.get("/readyz").json() == {"status": "ready", "failing": {}, "followers": 2}
    checks["database"] = "It is away"

    unready = door.get("/readyz")

    assert (unready.status_code, unready.json()["failing"]) == (503, {"database": "It is away"})
    assert door.get("/livez").status_code == 200


def test_every_code_of_grpc_has_an_http_status() -> None:
    assert set(HTTP_STATUS) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


def test_metrics_are_a_page_of_their_own_kind(door: httpx.Client) -> None:
    page = door.get("/metrics")
    assert (page.status_code, page.text) == (200, "calls 1.0\n")
    assert page.headers["content-type"] == "text/plain"
