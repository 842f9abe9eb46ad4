"""Evidence packs over the wire, verified by the verifier that they carry."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex
from typing import Any

import grpc
import pytest
from workflows import history_pb2 as pb
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

from tests.support.command_line import answer, refusal, workflows
from tests.support.database import select
from tests.support.service import Service
from tests.support.waiting import until

Serve = Callable[..., Service]
SOON = 60.0  # seconds
ALONE = (("grpc.use_local_subchannel_pool", 1),)  # a connection of its own: another caller


@pytest.fixture
def served(serve: Serve, tmp_path: Path) -> Service:
    """A service that keeps a log."""
    return serve(
        WORKFLOWS_DATA_DIR=str(tmp_path / "data"),
        WORKFLOWS_LOG_DIR=str(tmp_path / "log"),
        WORKFLOWS_LOG_EVERY="0.1",
    )


def verified(pack: Path, *arguments: str) -> str:
    """What the verifier in a pack says, run by a Python that is told to know nothing of ours."""
    with zipfile.ZipFile(pack) as archive:
        verifier = archive.read("verify.py")
    run = subprocess.run(
        [sys.executable, "-I", "-", pack, *arguments],
        input=verifier,
        capture_output=True,
        check=False,
    )
    assert not run.stderr, run.stderr.decode()
    return run.stdout.decode()


def lines(pack: Path, name: str) -> list[dict[str, object]]:
    """The lines of a file of a pack."""
    with zipfile.ZipFile(pack) as archive:
        return [json.loads(line) for line in archive.read(name).splitlines()]


def test_a_pack_holds_what_was_chosen_and_its_own_verifier_passes_it(
    served: Service, tmp_path: Path
) -> None:
    client, pack = served.client, tmp_path / "pack.zip"
    mine = [client.created("ann"), client.created("ann")]
    client.created("bob")
    client.increment(mine[0], "job-1")
    given = ("--target", client.address, "-o", str(pack))

    exported = answer("export", "--user", "ann", *given, "--json")

    assert exported["events"] == 3
    assert verified(pack).startswith("PASS events: 3, workflows: 2, erased: 0;")
    found = lines(pack, "events.jsonl")
    assert [(each["position"], each["workflow_id"]) for each in found] == [
        (1, mine[0]),
        (2, mine[1]),
        (4, mine[0]),
    ]
    answer("export", "--workflow", mine[1], *given, "--json")
    assert [each["position"] for each in lines(pack, "proofs.jsonl")] == [2]
    said = workflows("export", "--all", *given)
    assert said.stdout.startswith(f"wrote {pack}: 4 events")
    assert "PASS events: 4, workflows: 3," in verified(pack)


def test_an_unknown_workflow_and_that_of_another_user_are_refused_and_write_nothing(
    served: Service, tmp_path: Path
) -> None:
    workflow_id, pack = served.client.created("ann"), tmp_path / "pack.zip"
    given = ("-o", str(pack), "--target", served.address)

    assert "NOT_FOUND" in refusal("export", "--workflow", workflow_id, "--user", "bob", *given)
    assert not list(tmp_path.glob("*pack.zip*"))


def test_few_packs_are_made_at_a_time_and_a_reader_that_left_makes_room(served: Service) -> None:
    for _ in range(16):  # Together more than what a connection holds for a client.
        noise = json.dumps({"url": "https://example.com", "noise": token_hex(400_000)})
        served.client.created("ann", payload=noise)

    with ExitStack() as stack:

        def begun() -> Any:
            channel = stack.enter_context(grpc.insecure_channel(served.address, ALONE))
            call = WorkflowHistoryServiceStub(channel).ExportPack(
                pb.ExportPackRequest(), timeout=SOON
            )
            next(call)
            return call

        one, _ = begun(), begun()
        with pytest.raises(grpc.RpcError) as refused:
            begun()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        one.cancel()
        until(lambda: succeeds(begun))


def succeeds(call: Callable[[], Any]) -> bool:
    """Whether a call is not refused."""
    try:
        call()
    except grpc.RpcError:
        return False
    return True


def test_an_export_of_the_history_of_others_is_recorded(
    served: Service, database: str, tmp_path: Path
) -> None:
    workflow_id = served.client.created("ann")
    answer(
        "export", "--workflow", workflow_id, "-o", str(tmp_path / "pack.zip"), "--json",
        "--target", served.address,
    )  # fmt: skip
    logged = select(database, "SELECT actor, method, workflow_id::text FROM access_log")
    assert logged == [("anonymous", "ExportPack", workflow_id)]


def test_what_cannot_choose_events_is_named(served: Service) -> None:
    history = WorkflowHistoryServiceStub(served.client.channel)
    wanted = pb.EventFilter(workflow_id="x", actor="bob", job_id="j")

    with pytest.raises(grpc.RpcError) as refused:
        list(history.ExportPack(pb.ExportPackRequest(filter=wanted), timeout=SOON))

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    for field in ("filter.workflow_id", "filter.actor", "filter.job_id"):
        assert field in str(refused.value.details())
