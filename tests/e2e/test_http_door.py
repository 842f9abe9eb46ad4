"""The same service over HTTP: plain JSON in and out, beside gRPC."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from infrastructure.contract import SERVICE
from tests.support.database import execute, value
from tests.support.service import Service
from tests.support.waiting import until

WORKFLOW = {
    "user_id": "ada",
    "name": "Nightly report",
    "payload": '{"url": "https://example.org/report"}',
    "kind": "http",
    "interval": 1440,
    "max_consecutive_job_failures_allowed": 3,
    "idempotency_key": "nightly",
}


@pytest.fixture(params=["1", "2"], ids=["alone", "two-workers"])
def service(serve: Callable[..., Service], request: pytest.FixtureRequest) -> Service:
    """A service with an HTTP door, of one and of several processes."""
    return serve(WORKFLOWS_HTTP_LISTEN="127.0.0.1:0", WORKFLOWS_WORKERS=request.param)


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """A client of its HTTP door."""
    base = f"http://{service.announced['http']}"
    with httpx.Client(base_url=base, trust_env=False, timeout=30) as client:
        yield client


def test_json_and_grpc_see_one_service(http: httpx.Client, service: Service) -> None:
    path = f"/{SERVICE.full_name}"

    created = http.post(f"{path}/CreateWorkflow", json=WORKFLOW)
    again = http.post(f"{path}/CreateWorkflow", json=WORKFLOW)
    workflow_id = created.json()["id"]
    theirs = http.post(f"{path}/GetWorkflow", json={"id": workflow_id, "userId": "bob"})
    found = service.client.get(workflow_id, "ada").message

    assert (created.status_code, created.headers["trailer-x-workflow-version"]) == (200, "1")
    assert again.json() == created.json()
    assert again.headers["trailer-x-replayed"] == "true"
    assert (theirs.status_code, theirs.json()["code"]) == (404, "not_found")
    assert found.payload == WORKFLOW["payload"]
    assert http.get("/readyz").json()["failing"] == {}


def test_readiness_over_http_falls_with_the_database(
    http: httpx.Client, database: str, postgres: str
) -> None:
    """What gRPC's health says of the service is what a probe reads here."""
    name = conninfo_to_dict(database)["dbname"]
    execute(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    execute(
        postgres,
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )

    until(lambda: http.get("/readyz").status_code == 503)
    assert http.get("/readyz").json()["failing"] == {
        "service": "The database cannot be reached (STORE_UNAVAILABLE)"
    }

    assert http.get("/livez").status_code == 200
    execute(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    until(lambda: http.get("/readyz").status_code == 200)
    until(lambda: [each["name"] for each in http.get("/readyz").json()["followers"]] == ["search"])


def test_a_page_that_gives_its_name_this_address_is_not_answered(http: httpx.Client) -> None:
    path = f"/{SERVICE.full_name}/CreateWorkflow"
    refused = http.post(path, json=WORKFLOW, headers={"host": "evil.example:50080"})

    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert http.get("/metrics", headers={"host": "evil.example"}).status_code == 403


def test_a_refusal_names_every_bad_field(http: httpx.Client) -> None:
    refused = http.post(f"/{SERVICE.full_name}/CreateWorkflow", json=WORKFLOW | {"name": ""})

    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_argument")
    assert "name" in refused.json()["message"]


def test_the_document_describes_every_method_that_is_served(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()

    unserved = [
        path
        for path in document["paths"]
        if http.post(path, json={}).json().get("code") == "unimplemented"
    ]
    created = document["paths"][f"/{SERVICE.full_name}/CreateWorkflow"]["post"]
    fields = document["components"]["schemas"]["workflows.CreateWorkflowRequest"]["properties"]
    assert {f"/{SERVICE.full_name}/{method.name}" for method in SERVICE.methods} <= set(
        document["paths"]
    )
    assert unserved == []
    assert created["summary"] == "Creates a workflow and returns its id."
    assert fields["interval"] == {
        "type": "integer",
        "format": "int32",
        "description": "Minutes between runs: 1 to 525600.",
    }


def test_a_call_in_flight_is_answered_when_the_service_stops(
    service: Service, database: str
) -> None:
    door = service.announced["http"]
    waiting = "SELECT count(*) FROM pg_locks WHERE objid = 5005201 AND NOT granted"
    with ThreadPoolExecutor(1) as thread:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(5005201)")
            path = f"http://{door}/{SERVICE.full_name}/CreateWorkflow"
            created = thread.submit(httpx.post, path, json=WORKFLOW, trust_env=False, timeout=30)
            until(lambda: value(database, waiting))
            service.tell_to_stop()
            until(lambda: not listens(door))

        assert created.result(30).status_code == 200
    assert service.wait() == 0


def listens(door: str) -> bool:
    """Whether a door takes connections."""
    host, _, port = door.rpartition(":")
    try:
        socket.create_connection((host, int(port))).close()
    except OSError:
        return False
    return True
