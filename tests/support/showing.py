"""The story that README shows to auditors: draws its picture, and prints the sessions beside it.

Usage: python -m tests.support.showing PICTURE
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from workflows import history_pb2, workflows_pb2
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub
from workflows_testing import requests
from workflows_testing.client import ask

from application.access import Role
from tests.support.service import COMMAND, Service
from tests.support.tokens import AUDIENCE, ISSUER, KEY, claims, jwks, token
from tests.support.waiting import until

HOOKS = "https://example.org"


def bearer(subject: str, role: Role) -> str:
    """A token of somebody in a role."""
    return token(claims(sub=subject, role=role, jti=None))


@contextmanager
def served(folder: Path) -> Iterator[Service]:
    """A service that asks for tokens, with a database of its own."""
    keys = folder / "keys.json"
    keys.write_bytes(jwks(KEY))
    with Service(
        "--data-dir",
        str(folder / "data"),
        WORKFLOWS_AUTH="jwt",
        WORKFLOWS_JWT_KEYS=str(keys),
        WORKFLOWS_JWT_ISSUERS=ISSUER,
        WORKFLOWS_JWT_AUDIENCES=AUDIENCE,
        WORKFLOWS_HTTP_LISTEN="off",
        WORKFLOWS_LOG_NAME="workflows.example",
    ) as service:
        yield service


def told(service: Service) -> str:
    """Tells the story, and returns the id of its workflow: made, built, failed, ended, mended."""
    stub = service.client.stub

    def by(subject: str, role: Role) -> Any:
        return (("authorization", f"Bearer {bearer(subject, role)}"),)

    alice, scheduler = by("alice", Role.USER), by("scheduler", Role.SERVICE)
    asked = requests.create(
        "alice",
        name="Nightly report",
        payload=f'{{"url": "{HOOKS}/report"}}',
        max_consecutive_job_failures_allowed=2,
    )
    workflow_id = str(ask(stub.CreateWorkflow, asked, alice).message.id)
    built = workflows_pb2.UpdateWorkflowBuildStatusRequest(
        id=workflow_id, user_id="alice", build_status="success", generation=1
    )
    ask(stub.UpdateWorkflowBuildStatus, built, scheduler)
    for job in ("job-1", "job-2"):
        failed = workflows_pb2.IncrementWorkflowConsecutiveJobFailuresCountRequest(
            id=workflow_id, user_id="alice", job_id=job
        )
        ask(stub.IncrementWorkflowConsecutiveJobFailuresCount, failed, scheduler)
    mended = requests.update(
        workflow_id, "alice", name="Nightly report", payload=f'{{"url": "{HOOKS}/v2/report"}}'
    )
    ask(stub.UpdateWorkflow, mended, alice)
    history = WorkflowHistoryServiceStub(service.client.channel)
    until(lambda: _covered(history, by("ines", Role.AUDITOR)))
    return workflow_id


def _covered(history: WorkflowHistoryServiceStub, auditor: Any) -> bool:
    try:
        asked = history_pb2.GetProofRequest(position=6)
        return bool(ask(history.GetProof, asked, auditor).message.proof)
    except Exception:  # noqa: BLE001 - it is asked again
        return False


def shown(command: str, folder: Path, environment: dict[str, str]) -> None:
    """Runs a command in a folder, and prints it and what it prints."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    print(f"$ {command}\n{done.stdout}")


def main(picture: Path) -> None:
    """Draws the picture, and prints the sessions."""
    with TemporaryDirectory() as made, served(Path(made)) as service:
        folder, workflow_id = Path(made), told(service)
        environment = {
            "WORKFLOWS_TOKEN": bearer("ines", Role.AUDITOR),
            "WORKFLOWS_LISTEN": service.address,
            "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
        }
        for command in (
            f"workflows history {workflow_id} --utc --svg history.svg",
            f"workflows export --workflow {workflow_id} -o pack.zip",
            "unzip -p pack.zip verify.py | python3 - pack.zip",
            f"workflows prove {workflow_id} --version 4 -o event.tlog-proof",
            "workflows what-if TerminateWorkflow"
            f' \'{{"id": "{workflow_id}", "user_id": "alice"}}\' --utc',
        ):
            shown(command, folder, environment)
        picture.write_bytes((folder / "history.svg").read_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
