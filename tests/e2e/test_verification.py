"""Verdicts on workflows and on the feed, over the wire."""

import json
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from typer.testing import Result
from workflows import history_pb2 as pb
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

from tests.support.client import ask, refused
from tests.support.command_line import NOWHERE, one_line, workflows
from tests.support.database import execute
from tests.support.service import Service
from tests.support.waiting import until

Serve = Callable[..., Service]
TAMPER = (
    "SET session_replication_role = replica;"
    " UPDATE workflow_events SET state = convert_to(replace("
    "convert_from(state, 'UTF8'), '\"recorded_at\":\"2', '\"recorded_at\":\"3'), 'UTF8')"
    " WHERE notification_id = 2"
)


@pytest.fixture
def served(serve: Serve, tmp_path: Path) -> Service:
    """A service that keeps a log, with two workflows."""
    return serve(
        WORKFLOWS_DATA_DIR=str(tmp_path / "data"),
        WORKFLOWS_LOG_DIR=str(tmp_path / "log"),
        WORKFLOWS_LOG_EVERY="0.1",
    )


@pytest.fixture
def history(served: Service) -> WorkflowHistoryServiceStub:
    """The methods of histories."""
    return WorkflowHistoryServiceStub(served.client.channel)


@pytest.fixture
def workflow_id(served: Service, history: WorkflowHistoryServiceStub) -> str:
    """A workflow of ann's with two events, all covered by a checkpoint."""
    made = served.client.created("ann")
    served.client.build(made, "building")
    until(lambda: covered(history) == 2)
    return made


def covered(history: WorkflowHistoryServiceStub) -> int:
    """How many events a checkpoint covers."""
    try:
        return int(history.GetCheckpoint(pb.GetCheckpointRequest(), timeout=10).size)
    except grpc.RpcError:
        return 0


def verified(history: WorkflowHistoryServiceStub, *, since_last: bool = False) -> pb.FeedReport:
    """The report on the feed, after progress only."""
    asked = pb.VerifyFeedRequest(since_last=since_last)
    *progress, last = history.VerifyFeed(asked, timeout=60)
    assert all(each.HasField("progress") for each in progress)
    return last.report


def kinds(verdict: pb.Verdict) -> list[tuple[str, int]]:
    return [(found.kind, found.position) for found in verdict.findings]


def test_an_untouched_record_holds(history: WorkflowHistoryServiceStub, workflow_id: str) -> None:
    whole = verified(history)
    again = verified(history, since_last=True)
    one = ask(history.VerifyWorkflow, pb.VerifyWorkflowRequest(id=workflow_id)).message

    for report in (whole, again, one):
        assert report.integrity.holds
        assert report.completeness.holds
        assert report.place.position == 2
    assert (whole.events, whole.from_position, one.events) == (2, 1, 2)
    assert whole.checkpoint.split("\n")[1] == "2"


def test_a_changed_event_is_named_by_both(
    served: Service, history: WorkflowHistoryServiceStub, workflow_id: str, database: str
) -> None:
    execute(database, TAMPER)

    whole = verified(history)
    one = ask(history.VerifyWorkflow, pb.VerifyWorkflowRequest(id=workflow_id)).message

    for report in (whole, one):
        assert kinds(report.integrity) == [("CHANGED_BYTES", 2)]
        assert report.integrity.damaged
        assert report.completeness.holds


def test_a_user_verifies_own_workflows_only(
    history: WorkflowHistoryServiceStub, workflow_id: str, database: str
) -> None:
    def verify(user: str, asked: str = workflow_id) -> pb.VerifyWorkflowResponse:
        request = pb.VerifyWorkflowRequest(id=asked, user_id=user)
        return ask(history.VerifyWorkflow, request).message

    nobodys = workflow_id.replace(workflow_id[:8], "0199c0de")
    assert verify("ann").events == 2
    others = refused(lambda: verify("bob"))
    missing = refused(lambda: verify("bob", nobodys))
    assert others.code is missing.code is grpc.StatusCode.NOT_FOUND
    assert others.message.replace(workflow_id, nobodys) == missing.message
    assert refused(lambda: verify("", nobodys)).code is grpc.StatusCode.NOT_FOUND

    # The owner learns of damage even where the creation can no longer be read.
    execute(
        database,
        "SET session_replication_role = replica;"
        " UPDATE workflow_events SET salt = '\\x00' WHERE notification_id = 1",
    )
    assert kinds(verify("ann").integrity) == [("CHANGED_CONTENT", 1)]
    assert refused(lambda: verify("bob")).code is grpc.StatusCode.NOT_FOUND


def test_the_feed_is_verified_once_at_a_time_and_ends_with_its_caller(
    history: WorkflowHistoryServiceStub, workflow_id: str
) -> None:
    first = history.VerifyFeed(pb.VerifyFeedRequest(), timeout=60)
    with pytest.raises(grpc.RpcError) as second:
        list(history.VerifyFeed(pb.VerifyFeedRequest(), timeout=60))
    assert second.value.code() is grpc.StatusCode.UNAVAILABLE
    first.cancel()

    def admitted() -> bool:
        try:
            return verified(history).integrity.holds
        except grpc.RpcError:
            return False

    until(admitted)


def run(served: Service, *arguments: str) -> Result:
    return workflows("verify", *arguments, "--target", served.address)


def test_the_command_says_that_all_holds(
    served: Service, history: WorkflowHistoryServiceStub, workflow_id: str
) -> None:
    for arguments in ((), ("--since-last",), ("--workflow", workflow_id)):
        result = run(served, *arguments)

        assert result.exit_code == 0, result.output
        said = one_line(result.stdout)
        assert "integrity holds" in said
        assert "completeness holds" in said
        assert "verified 2 events of" in said or arguments == ("--since-last",)


def test_the_command_ends_with_1_if_damage_was_found(
    served: Service, history: WorkflowHistoryServiceStub, workflow_id: str, database: str
) -> None:
    execute(database, TAMPER)

    shown = run(served)
    as_json = run(served, "--workflow", workflow_id, "--json")

    assert (shown.exit_code, as_json.exit_code) == (1, 1)
    said = one_line(shown.stdout)
    assert "integrity DAMAGED, 1 fault" in said
    assert f"CHANGED_BYTES 2 {workflow_id} 2" in said
    verdicts = json.loads(as_json.stdout)
    assert (verdicts["integrity"]["holds"], verdicts["completeness"]["holds"]) == (False, True)


def test_the_command_ends_with_3_if_it_cannot_be_said(serve: Serve) -> None:
    without_log = serve()
    without_log.client.created("ann")

    shown = run(without_log)
    nobodys = run(without_log, "--workflow", "0199c0de-0000-7000-8000-000000000001")

    assert shown.exit_code == 3, shown.output
    assert "integrity holds" in one_line(shown.stdout)
    assert "completeness could not be shown" in one_line(shown.stdout)
    assert nobodys.exit_code == 3
    assert workflows("verify", "--target", NOWHERE).exit_code == 3
    assert run(without_log, "--user", "ann").exit_code == 2
