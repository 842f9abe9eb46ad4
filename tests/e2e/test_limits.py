"""What is refused when a caller, or all together, ask too much; and what is still answered."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import httpx
import psycopg
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc_health.v1 import health_pb2
from workflows_testing import requests

from infrastructure.contract import SERVICE
from infrastructure.rpc.refusal import PUSHBACK
from tests.support.client import Refused
from tests.support.service import Service
from tests.support.waiting import until

Code = grpc.StatusCode
Serve = Callable[..., Service]
LOCK = 5005201


@pytest.fixture
def writes_wait(database: str) -> Iterator[None]:
    """Nothing can be appended as long as the test runs."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        yield


def test_a_caller_beyond_its_rate_is_told_when_to_come_again(serve: Serve) -> None:
    service = serve(
        WORKFLOWS_RATE="10", WORKFLOWS_RATE_SECONDS="3600", WORKFLOWS_HTTP_LISTEN="127.0.0.1:0"
    )
    client = service.client
    workflow_id = client.created("ada")
    for _ in range(8):
        client.get(workflow_id, "ada")

    with pytest.raises(Refused) as refused:
        client.get(workflow_id, "ada")

    waits = refused.value.detail(RetryInfo).retry_delay.ToMilliseconds()
    assert (refused.value.code, refused.value.reason) == (Code.RESOURCE_EXHAUSTED, "RATE_EXCEEDED")
    assert refused.value.trailing[PUSHBACK] == str(waits)
    assert waits > 3_000_000
    base = f"http://{service.announced['http']}/{SERVICE.full_name}"
    asked = {"id": workflow_id, "user_id": "ada"}
    with httpx.Client(trust_env=False) as http:  # A connection of its own is a caller of its own.
        answers = [http.post(f"{base}/GetWorkflow", json=asked) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 3000
    assert answers[-1].json()["code"] == "resource_exhausted"


def test_under_load_changes_are_refused_and_reads_health_and_probes_go_on(
    serve: Serve, request: pytest.FixtureRequest
) -> None:
    service = serve(WORKFLOWS_CALLS="8", WORKFLOWS_SHED_AT="4", WORKFLOWS_HTTP_LISTEN="127.0.0.1:0")
    client, base = service.client, f"http://{service.announced['http']}"
    workflow_id = client.created("ada")
    request.getfixturevalue("writes_wait")
    with ExitStack() as stack:
        create = client.stub.CreateWorkflow
        waiting = [create.future(requests.create("ada"), timeout=30) for _ in range(4)]
        stack.callback(lambda: [call.cancel() for call in waiting])

        def refusal() -> Refused | None:
            try:
                client.stub.CreateWorkflow(requests.create("ada"), timeout=0.1)
            except grpc.RpcError as error:
                return Refused(error)
            return None

        until(lambda: (seen := refusal()) is not None and seen.code is Code.UNAVAILABLE)
        shed = refusal()

        assert shed is not None
        assert (shed.reason, PUSHBACK in shed.trailing) == ("OVERLOADED", True)
        assert client.get(workflow_id, "ada").message.id == workflow_id
        check: Any = client.channel.unary_unary("/grpc.health.v1.Health/Check")
        serving = health_pb2.HealthCheckResponse(status="SERVING").SerializeToString()
        assert check(b"", timeout=30) == serving
        assert httpx.get(f"{base}/readyz", trust_env=False).status_code == 200
        path = f"{base}/{SERVICE.full_name}"
        asked = {"id": workflow_id, "user_id": "ada"}
        assert httpx.post(f"{path}/GetWorkflow", json=asked, trust_env=False).status_code == 200
        over_http = httpx.post(f"{path}/TerminateWorkflow", json=asked, trust_env=False)
        assert (over_http.status_code, over_http.json()["code"]) == (503, "unavailable")
        assert int(over_http.headers["retry-after"]) in (1, 2)


def test_a_call_without_a_deadline_is_not_waited_for_for_ever(
    serve: Serve, request: pytest.FixtureRequest
) -> None:
    service = serve(WORKFLOWS_LONGEST_WAIT="0.2", WORKFLOWS_HTTP_LISTEN="127.0.0.1:0")
    service.client.created("ada")
    request.getfixturevalue("writes_wait")
    body = {"user_id": "ada", "kind": "script", "payload": "{}", "interval": 1, "name": "n"}
    path = f"http://{service.announced['http']}/{SERVICE.full_name}/CreateWorkflow"

    create = service.client.stub.CreateWorkflow
    first = create.future(requests.create("ada"))
    answer = httpx.post(
        path, json=body | {"max_consecutive_job_failures_allowed": 1}, trust_env=False
    )
    second: Any = create.future(requests.create("ada"))

    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert first.exception(30) is not None, "it was appended"
    assert second.exception(30).code() is Code.DEADLINE_EXCEEDED
