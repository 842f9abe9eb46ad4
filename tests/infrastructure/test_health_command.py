"""`workflows health`: its verdict, its exit code, and its patience."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from infrastructure.cli.health import ALIVE, READY
from infrastructure.contract import ADMIN_SERVICE, HISTORY_SERVICE
from tests.support.command_line import answer, grpc_server, one_line, refusal, workflows
from tests.support.service import Service

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Scripted(health_pb2_grpc.HealthServicer):  # type: ignore[misc] # the library has no types
    """Gives one answer after the other, and the last for ever; None refuses to answer."""

    def __init__(self, *readiness: int | None) -> None:
        self._readiness = list(readiness)
        self.tokens: list[str | None] = []

    def List(self, _: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """The process is alive; the service is as the script says."""
        self.tokens.append(dict(context.invocation_metadata()).get("authorization"))
        status = self._readiness.pop(0) if len(self._readiness) > 1 else self._readiness[0]
        if status is None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        statuses = {ALIVE: SERVING, READY: status}
        return health_pb2.HealthListResponse(
            statuses={n: health_pb2.HealthCheckResponse(status=s) for n, s in statuses.items()}
        )


def health_of(servicer: Any, *flags: str) -> tuple[int, Any]:
    """The exit code of the command against this servicer, and what it says as JSON."""
    with grpc_server() as (server, target):
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        server.start()
        result = workflows("health", "--target", target, "--json", *flags)
        return result.exit_code, json.loads(result.stdout)


def test_a_running_service_is_alive_and_ready(database: str) -> None:
    with Service("--database-url", database) as service:
        said = answer("health", "--target", service.address, "--wait", "60", "--json")
    names = (ALIVE, READY, HISTORY_SERVICE.full_name, ADMIN_SERVICE.full_name)
    assert said == {
        "target": service.address,
        "serving": True,
        "statuses": dict.fromkeys(names, "SERVING"),
    }


def test_a_service_that_is_alive_but_not_ready_fails_the_command() -> None:
    exit_code, said = health_of(Scripted(NOT_SERVING))
    assert (exit_code, said["serving"]) == (1, False)
    assert said["statuses"] == {ALIVE: "SERVING", READY: "NOT_SERVING"}


@pytest.mark.parametrize("before", [[NOT_SERVING, NOT_SERVING], [None, None], [None, NOT_SERVING]])
def test_waiting_ends_as_soon_as_the_service_serves(before: Sequence[int | None]) -> None:
    exit_code, said = health_of(Scripted(*before, SERVING, NOT_SERVING), "--wait", "60")
    assert (exit_code, said["serving"]) == (0, True)


def test_waiting_ends_at_its_deadline() -> None:
    exit_code, said = health_of(Scripted(NOT_SERVING), "--wait", "0.1")
    assert (exit_code, said["serving"]) == (1, False)


def test_without_list_both_services_are_checked() -> None:
    servicer = health.HealthServicer()
    servicer.set(READY, SERVING)
    assert health_of(servicer)[0] == 0
    servicer = health.HealthServicer()
    servicer.set(READY, NOT_SERVING)
    assert health_of(servicer)[0] == 1


def test_a_server_that_does_not_know_the_service_is_not_ready() -> None:
    exit_code, said = health_of(health.HealthServicer())
    assert exit_code == 1
    assert said["statuses"] == {ALIVE: "SERVING", READY: "SERVICE_UNKNOWN"}


def test_people_see_a_table_and_what_to_do() -> None:
    with grpc_server() as (server, target):
        health_pb2_grpc.add_HealthServicer_to_server(Scripted(NOT_SERVING), server)
        server.start()
        result = workflows("health", "--target", target)
    assert result.exit_code == 1
    assert f"{READY} NOT_SERVING" in one_line(result.stdout)
    assert "Wait: --wait 30" in result.stderr


def test_a_server_without_health_is_told_apart_from_one_that_is_down() -> None:
    with grpc_server() as (server, target):
        server.start()
        said = refusal("health", "--target", target)
    assert said.startswith("error UNIMPLEMENTED")
    assert f"Is it the Workflows Service that listens at {target}" in said


def test_the_token_of_a_file_is_sent_without_its_line_break(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    servicer = Scripted(SERVING)
    assert health_of(servicer, "--token-file", str(tmp_path / "token"))[0] == 0
    assert servicer.tokens == ["Bearer secret"]


def test_a_token_does_not_travel_to_another_machine_unencrypted(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    there = ("--target", "workflows.example:443", "--token-file", str(tmp_path / "token"))
    assert "add --ca system" in refusal("health", *there, exit_code=2)
