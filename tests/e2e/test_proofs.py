"""Checkpoints, proofs and verdicts over the wire."""

from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from workflows import history_pb2 as pb
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

from tests.support.client import ask
from tests.support.service import Service
from tests.support.waiting import until

Serve = Callable[..., Service]


def covered(history: WorkflowHistoryServiceStub, size: int) -> bool:
    """Whether a checkpoint covers so many events."""
    try:
        found = history.GetCheckpoint(pb.GetCheckpointRequest(), timeout=10)
    except grpc.RpcError:
        return False
    return found.size >= size


@pytest.fixture
def served(serve: Serve, tmp_path: Path) -> Service:
    """A service that keeps a log, with one workflow."""
    service = serve(
        WORKFLOWS_DATA_DIR=str(tmp_path / "data"),
        WORKFLOWS_LOG_DIR=str(tmp_path / "log"),
        WORKFLOWS_LOG_EVERY="0.1",
    )
    service.client.created("ann")
    return service


def test_a_checkpoint_covers_each_event_soon_and_proves_it(served: Service) -> None:
    history = WorkflowHistoryServiceStub(served.client.channel)
    until(lambda: covered(history, 1))

    checkpoint = ask(history.GetCheckpoint, pb.GetCheckpointRequest()).message
    proof = ask(history.GetProof, pb.GetProofRequest(position=1)).message

    assert proof.proof.endswith(checkpoint.checkpoint)
    assert proof.leaf.decode().split("\n")[3] == proof.event.workflow_id
    assert proof.event.checkpoint_size == proof.place.position == checkpoint.size == 1
    assert checkpoint.policy.startswith(f"log {checkpoint.origin}+")
