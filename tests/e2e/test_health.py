"""Health and reflection of the service itself: for balancers, probes, tools, and at a stop."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from workflows import workflows_pb2

from infrastructure.wiring.services import TABLES
from tests.support.client import WITHIN, Client
from tests.support.http2 import Http2
from tests.support.service import Service
from tests.support.waiting import until

pytestmark = pytest.mark.both_wires

SERVICE = workflows_pb2.DESCRIPTOR.services_by_name["WorkflowsService"]
ALIAS = "workflows-service"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
BUF = str(Path(sys.executable).with_name("buf"))
TOOLS = {
    "buf lists": [
        *(BUF, "curl", "--http2-prior-knowledge", "--protocol", "grpc"),
        *("--list-methods", "http://{}"),
    ],
    "grpcurl describes": ["grpcurl", "-plaintext", "{}", "describe"],
    "grpcurl describes a method": [
        *("grpcurl", "-plaintext", "{}", "describe"),
        f"{SERVICE.full_name}.ListWorkflows",
    ],
    "ghz calls": [
        *("ghz", "--insecure", "-n", "1", "-c", "1", "-d", '{"user_id": "ada"}'),
        *("--call", f"{SERVICE.full_name}/ListWorkflows", "{}"),
    ],
}


def health(client: Client) -> Any:
    """The health service."""
    return health_pb2_grpc.HealthStub(client.channel)


def test_a_service_that_runs_is_serving_by_each_of_its_names(serve: Callable[..., Service]) -> None:
    client = serve(WORKFLOWS_HEALTH_ALIAS=ALIAS).client
    listed = health(client).List(health_pb2.HealthListRequest(), timeout=WITHIN).statuses
    assert {name: found.status for name, found in listed.items()} == {
        "": SERVING,
        **{table.name: SERVING for table in TABLES},
        ALIAS: SERVING,
    }
    request = health_pb2.HealthCheckRequest(service=ALIAS)
    assert health(client).Check(request, timeout=WITHIN).status == SERVING


@pytest.mark.parametrize("name", ["", SERVICE.full_name])
def test_a_watcher_hears_of_a_stop_while_calls_are_still_answered(
    serve: Callable[..., Service], name: str
) -> None:
    service = serve()
    watch = health(service.client).Watch(health_pb2.HealthCheckRequest(service=name))
    assert next(watch).status == SERVING
    service.tell_to_stop()
    assert next(watch).status == NOT_SERVING
    assert not service.has_ended()
    watch.cancel()
    assert service.wait() == 0


def test_clients_that_neither_send_nor_read_do_not_keep_the_service_from_stopping(
    serve: Callable[..., Service],
) -> None:
    service = serve()
    deaf_to_all = {4: 0}  # SETTINGS_INITIAL_WINDOW_SIZE
    with Http2(service.address) as silent, Http2(service.address, deaf_to_all) as deaf:
        for path in (WATCH, REFLECTION, "/grpc.health.v1.Health/Check", "/a.B/C"):
            for _ in range(10):
                silent.send(silent.headers(path))
                deaf.send(*deaf.call(path, b""), *deaf.call(path, b"\xff"))
        request = health_pb2.HealthCheckRequest(service=SERVICE.full_name)
        until(lambda: health(service.client).Check(request, timeout=WITHIN).status == SERVING)
        service.tell_to_stop()
        assert service.wait() == 0


@pytest.mark.parametrize("command", TOOLS.values(), ids=TOOLS)
def test_a_tool_finds_its_way_by_reflection(service: Service, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{Path(command[0]).name} is not installed")
    found = subprocess.run(
        [part.format(service.address) if "{}" in part else part for part in command],
        check=False,
        capture_output=True,
        text=True,
        timeout=WITHIN,
    )
    assert found.returncode == 0, found.stderr
    told = "[OK]   1 responses" if command[0] == "ghz" else "ListWorkflows"
    assert told in found.stdout
