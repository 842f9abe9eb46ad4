"""`prove` and `what-if` against a real service: what they show, and what they refuse."""

import subprocess
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

from infrastructure.tlog.proofs import leaf_hash
from tests.support.client import Client
from tests.support.command_line import answer, one_line, refusal, workflows
from tests.support.go import built
from tests.support.service import Service
from tests.support.waiting import until

ORACLE = Path(__file__).parents[1] / "infrastructure" / "pack_oracle"


@pytest.fixture
def served(serve: Callable[..., Service], tmp_path: Path) -> Service:
    """A service that keeps a log."""
    return serve(
        WORKFLOWS_DATA_DIR=str(tmp_path / "data"),
        WORKFLOWS_LOG_DIR=str(tmp_path / "log"),
        WORKFLOWS_LOG_EVERY="0.1",
    )


@pytest.fixture
def proved(served: Service) -> str:
    """A workflow with two events, both covered by a checkpoint."""
    workflow_id = served.client.created("ann")
    served.client.increment(workflow_id, "job-1")
    given = ("prove", workflow_id, "-o", "/dev/null", "--target", served.address)
    until(lambda: workflows(*given).exit_code == 0)
    return workflow_id


def test_a_proof_holds_its_leaf_and_is_verified_by_another_program(
    served: Service, proved: str, tmp_path: Path
) -> None:
    file, policy = tmp_path / "event.tlog-proof", tmp_path / "policy"
    given = ("--target", served.address, "-o", str(file))

    said = answer("prove", proved, "--version", "1", *given, "--json")

    assert (said["event"]["version"], said["size"]) == ("1", 2)
    assert said["signed_by"] == [said["origin"]]
    proof = file.read_text()
    leaf = b64decode(proof.split("\n")[1].removeprefix("extra "))
    assert leaf.decode().split("\n")[3:5] == [proved, "1"]
    shown = workflows("prove", proved, *given)
    assert "proved: failure incremented, event 2 of" in one_line(shown.stdout)
    rules = [line.strip() for line in shown.stdout.splitlines() if line.startswith("  log ")]
    policy.write_text("\n".join([*rules, "quorum none", ""]))
    assert answer("prove", proved, "--policy", str(policy), *given, "--json")["size"] == 2
    torchwood = built(ORACLE, tmp_path / "proof", "./proof")
    judged = subprocess.run([torchwood, policy, file], capture_output=True, text=True, check=False)
    assert judged.stdout == f"holds: {leaf_hash(b64decode(file.read_text().split()[2])).hex()}\n"


def test_a_proof_by_other_keys_than_those_that_are_trusted_is_refused(
    served: Service, proved: str, tmp_path: Path
) -> None:
    other = tmp_path / "policy"
    key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    other.write_text(f"log {key}\nquorum none\n")
    given = ("--policy", str(other), "-o", str(tmp_path / "p"), "--target", served.address)
    assert "not signed as the policy asks" in refusal("prove", proved, *given)
    assert not (tmp_path / "p").exists()


def test_an_event_of_another_workflow_is_not_proved_as_this_one(
    served: Service, proved: str, tmp_path: Path
) -> None:
    given = ("--position", "1", "-o", str(tmp_path / "p"), "--target", served.address)
    other = served.client.created("bob")
    assert "of another workflow" in refusal("prove", other, *given)
    assert "No event of this user" in refusal("prove", proved, "--user", "bob", *given)


def what_if(client: Client, *arguments: str) -> str:
    """What `what-if` shows, on one line."""
    result = workflows("what-if", *arguments, "--utc", "--target", client.address)
    assert result.exit_code == 0, result.output
    return one_line(result.stdout)


def test_what_would_be_recorded_and_what_then_would_be(client: Client, user: str) -> None:
    workflow_id = client.created(user, max_consecutive_job_failures_allowed=1)
    request = f'{{"id": "{workflow_id}", "user_id": "{user}"}}'
    said = what_if(client, "IncrementWorkflowConsecutiveJobFailuresCount", request)
    assert "would record 2 events · true at position" in said
    assert "2 failure incremented" in said
    assert "3 terminated" in said
    assert "the workflow would be" in said
    assert "consecutive_job_failures_count 1" in said
    client.increment(workflow_id, "")
    again = what_if(client, "TerminateWorkflow", request)
    assert "would change nothing" in again
    earlier = what_if(client, "TerminateWorkflow", request, "--version", "1")
    assert "would record 1 event ·" in earlier


def test_what_would_be_refused_is_an_answer(client: Client, user: str) -> None:
    request = f'{{"id": "{client.created(user)}", "user_id": "somebody"}}'
    said = what_if(client, "deleteworkflow", request)
    assert "would be refused · NOT_FOUND (WORKFLOW_NOT_FOUND)" in said
    given = ("what-if", "DeleteWorkflow", request, "--target", client.address, "--json")
    assert answer(*given)["refusal"]["code"] == "NOT_FOUND"


def test_a_method_that_changes_nothing_is_refused(client: Client) -> None:
    given = ("what-if", "GetWorkflow", "{}", "--target", client.address)
    assert "GetWorkflow changes nothing; there are: create," in refusal(*given, exit_code=2)
