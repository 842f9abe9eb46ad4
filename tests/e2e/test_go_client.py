"""A client whose stubs another toolchain made finds the contract kept."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from workflows import workflows_pb2

from tests.e2e.go_client.workspace import GoWorkspace
from tests.support.service import Service

METHODS = {
    method.name for method in workflows_pb2.DESCRIPTOR.services_by_name["WorkflowsService"].methods
}
INCREMENT = "IncrementWorkflowConsecutiveJobFailuresCount"
WITHIN = 120.0  # seconds: patience with a slow machine, not an expectation


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> GoWorkspace:
    """The module of the client."""
    return GoWorkspace(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def go_client(workspace: GoWorkspace) -> Path:
    """The client as a program."""
    return workspace.build("")


def test_a_go_client_finds_every_method_as_the_contract_says(
    go_client: Path, services: tuple[Service, Service, Service]
) -> None:
    for service in (services[0], services[2]):  # with few pages, and with many
        done = called(go_client, service)

        assert done.returncode == 0, done.stdout + done.stderr
        assert verdicts(done) == dict.fromkeys(METHODS, "ok")


def test_the_go_client_tells_which_method_answers_otherwise(
    go_client: Path, serve: Callable[..., Service]
) -> None:
    done = called(go_client, serve(WORKFLOWS_TERMINATE_AT_THRESHOLD="false"))

    assert done.returncode == 1
    assert verdicts(done) == {**dict.fromkeys(METHODS, "ok"), INCREMENT: "FAIL"}
    assert "terminated_at" in done.stderr


def test_the_go_sources_are_in_order(workspace: GoWorkspace) -> None:
    assert not workspace.run("gofmt", "-l", *map(str, workspace.directory.glob("*.go")))
    workspace.run("go", "vet", ".")


def called(client: Path, service: Service) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [client, service.address], capture_output=True, text=True, timeout=WITHIN, check=False
    )


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The verdict on each method."""
    return {method: verdict for verdict, method in map(str.split, done.stdout.splitlines())}
