"""The past equals what was answered then; what would happen equals what then happens."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from workflows import history_pb2 as pb
from workflows import workflows_pb2
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub
from workflows_testing import requests

from application.access import Role
from tests.support.client import Answer, Client, Refused, ask, outcome, refused
from tests.support.service import Service
from tests.support.tokens import AUDIENCE, ISSUER, KEY, claims, jwks, token

STEPS = 40
NEW = 0.2  # of the steps create a workflow
FILTERS: Sequence[dict[str, Any]] = (
    {},
    {},
    {"query": "DAIL"},
    {"kind": "docker"},
    {"build_status": "building"},
    {"is_terminated": True},
    {"interval_min": 6, "kind": "http"},
)
TIMES = {"created_at", "updated_at", "terminated_at", "deleted_at"}
STATUSES = ("building", "success", "failed")
METHODS = {
    "update": "UpdateWorkflow",
    "update_build_status": "UpdateWorkflowBuildStatus",
    "increment": "IncrementWorkflowConsecutiveJobFailuresCount",
    "reset": "ResetWorkflowConsecutiveJobFailuresCount",
    "terminate": "TerminateWorkflow",
    "delete": "DeleteWorkflow",
}


@pytest.fixture
def history(service: Service) -> WorkflowHistoryServiceStub:
    """The methods of histories."""
    return WorkflowHistoryServiceStub(service.client.channel)


def command(random: Random, ids: Sequence[str], user: str) -> tuple[str, Any]:
    """A random command on one of these workflows: its name in WhatIf, and the request."""
    workflow_id, name = random.choice(ids), random.choice([*METHODS, "increment", "update"])
    owned = {"id": workflow_id, "user_id": user}
    match name:
        case "update":
            name_then = random.choice(["nightly", "daily"])
            return name, requests.update(workflow_id, user, name=name_then, interval=6)
        case "update_build_status":
            return name, workflows_pb2.UpdateWorkflowBuildStatusRequest(
                **owned, build_status=random.choice(STATUSES), generation=random.choice([0, 1])
            )
        case "increment":
            return name, workflows_pb2.IncrementWorkflowConsecutiveJobFailuresCountRequest(
                **owned, job_id=f"j-{random.randrange(9)}"
            )
        case "reset":
            return name, workflows_pb2.ResetWorkflowConsecutiveJobFailuresCountRequest(**owned)
        case "terminate":
            return name, workflows_pb2.TerminateWorkflowRequest(**owned)
    return name, workflows_pb2.DeleteWorkflowRequest(**owned)


def carried_out(client: Client, name: str, request: Any) -> Answer[Any] | Refused:
    """How the real command ends."""
    return outcome(lambda: client.ask(getattr(client.stub, METHODS[name]), request))


def place(history: WorkflowHistoryServiceStub, user: str) -> int:
    """The last position of the feed."""
    return ask(
        history.ListWorkflowsAsOf, pb.ListWorkflowsAsOfRequest(user_id=user)
    ).message.place.position


def whole(method: Any, asked: Any) -> list[Any]:
    """A user's list, page after page."""
    found: list[Any] = []
    while True:
        page = ask(method, asked).message
        found += page.workflows
        if not page.cursor:
            return found
        asked.cursor = page.cursor


@pytest.mark.parametrize("seed", [1, 2])
def test_lists_and_workflows_of_the_past_are_what_was_answered_then(
    paging: Client, user: str, seed: int
) -> None:
    """Lists in pages of 3, with and without filters, while workflows come, change and go."""
    history = WorkflowHistoryServiceStub(paging.channel)
    random, ids = Random(seed), [paging.created(user) for _ in range(4)]
    answered = []
    for _ in range(STEPS):
        if random.random() < NEW:
            ids.append(paging.created(user, kind=random.choice(["http", "docker"])))
        else:
            carried_out(paging, *command(random, ids, user))
        filters = random.choice(FILTERS)
        listed = whole(paging.stub.ListWorkflows, requests.page(user, **filters))
        answered.append((place(history, user), filters, listed))
    assert {len(listed) for _, _, listed in answered} >= {0, 1, 4}
    for position, filters, listed in answered:
        moment = pb.Moment(position=position)
        wanted = workflows_pb2.ListWorkflowsFilters(**filters) if filters else None
        asked_then = pb.ListWorkflowsAsOfRequest(user_id=user, moment=moment, filters=wanted)
        assert whole(history.ListWorkflowsAsOf, asked_then) == listed
        for shown in listed:
            asked = pb.GetWorkflowAsOfRequest(id=shown.id, user_id=user, moment=moment)
            then = plain(ask(history.GetWorkflowAsOf, asked).message.workflow)
            expected = plain(shown)
            assert {name: then.get(name) for name in expected} == expected


def plain(message: Any) -> dict[str, Any]:
    """The fields that are set, without times, which the two contracts write in two ways."""
    found = MessageToDict(message, preserving_proto_field_name=True)
    return {name: value for name, value in found.items() if name not in TIMES}


def essence(events: Sequence[pb.Event]) -> list[Any]:
    """What two records of the same happening share: all but place, times and ids of the call."""
    found = []
    for event in events:
        changes = [
            (change.field, *(() if change.field in TIMES else (change.before, change.after)))
            for change in event.changes
        ]
        cause = event.cause
        told = (cause.actor, cause.method, cause.job_id, cause.policy, cause.reason)
        found.append((event.workflow_id, event.version, event.type, changes, told))
    return found


@pytest.mark.parametrize("seed", [3, 4])
def test_what_would_be_recorded_is_what_the_real_command_records(
    client: Client, history: WorkflowHistoryServiceStub, user: str, seed: int
) -> None:
    random, ids = Random(seed), [client.created(user) for _ in range(3)]
    ends = set()
    for _ in range(STEPS):
        name, request = command(random, ids, user)
        before = recorded(history, request.id)
        asked: Any = {name: request}
        supposed = ask(history.WhatIf, pb.WhatIfRequest(**asked)).message
        assert recorded(history, request.id) == before
        ended = carried_out(client, name, request)
        since = recorded(history, request.id)[len(before) :]
        assert essence(supposed.events) == essence(since)
        if isinstance(ended, Refused):
            refusal = supposed.refusal
            assert (refusal.code, refusal.reason) == (ended.code.name, ended.reason)
        else:
            assert not supposed.HasField("refusal")
            now = pb.GetWorkflowAsOfRequest(id=request.id)
            state = ask(history.GetWorkflowAsOf, now).message.workflow
            assert plain(supposed.workflow) == plain(state)
        ends.add((isinstance(ended, Refused), len(since)))
    assert {(True, 0), (False, 1)} <= ends


def test_a_creation_that_would_be_recorded_is_what_is_recorded(
    client: Client, history: WorkflowHistoryServiceStub, user: str
) -> None:
    key = {"idempotency_key": "once"}
    new = requests.create(user, **key)
    for request in (new, new, requests.create(user, name="other", **key), requests.create("")):
        before = place(history, user)
        supposed = ask(history.WhatIf, pb.WhatIfRequest(create=request)).message
        assert place(history, user) == before
        ended = outcome(partial(client.ask, client.stub.CreateWorkflow, request))
        if isinstance(ended, Refused):
            refusal = supposed.refusal
            assert (refusal.code, refusal.reason) == (ended.code.name, ended.reason)
            continue
        since = [] if ended.replayed else recorded(history, ended.message.id)
        assert [each[1:] for each in essence(supposed.events)] == [e[1:] for e in essence(since)]


def recorded(history: WorkflowHistoryServiceStub, workflow_id: str) -> list[pb.Event]:
    """All events of a workflow, oldest first."""
    asked = pb.GetWorkflowHistoryRequest(
        id=workflow_id, order=pb.ORDER_OLDEST_FIRST, page_size=1000
    )
    return list(ask(history.GetWorkflowHistory, asked).message.events)


def test_versions_that_differ_are_shown_in_either_direction(
    client: Client, history: WorkflowHistoryServiceStub, user: str
) -> None:
    workflow_id = client.created(user)
    client.update(workflow_id, user, name="daily")
    there = difference(history, workflow_id, 1, 2)
    assert there["name"] == ("nightly", "daily")
    back = difference(history, workflow_id, 2, 1)
    assert back == {field: (after, before) for field, (before, after) in there.items()}


def difference(
    history: WorkflowHistoryServiceStub, workflow_id: str, start: int, end: int
) -> dict[str, tuple[str, str]]:
    """The texts that differ between two versions."""
    asked = pb.DiffWorkflowRequest(id=workflow_id, from_version=start, to_version=end)
    changes = ask(history.DiffWorkflow, asked).message.changes
    return {c.field: (c.before.string_value, c.after.string_value) for c in changes}


@pytest.fixture(scope="module")
def guarded(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that asks for tokens."""
    keys: Path = tmp_path_factory.mktemp("keys") / "keys.json"
    keys.write_bytes(jwks(KEY))
    environment = {
        "WORKFLOWS_AUTH": "jwt",
        "WORKFLOWS_JWT_KEYS": str(keys),
        "WORKFLOWS_JWT_ISSUERS": ISSUER,
        "WORKFLOWS_JWT_AUDIENCES": AUDIENCE,
    }
    with Service("--database-url", shared_database, **environment) as service:
        yield service


def by(role: Role) -> tuple[tuple[str, str], ...]:
    """The credential of alice in a role."""
    return (("authorization", f"Bearer {token(claims(role=role), key=KEY)}"),)


ASKED = {
    "GetWorkflowHistory": pb.GetWorkflowHistoryRequest,
    "GetWorkflowAsOf": pb.GetWorkflowAsOfRequest,
    "DiffWorkflow": pb.DiffWorkflowRequest,
}


@pytest.mark.parametrize("name", ASKED)
def test_a_user_reads_only_the_past_of_own_workflows(
    client: Client, guarded: Service, name: str
) -> None:
    hers, his = client.created("alice"), client.created("bob")
    method = getattr(WorkflowHistoryServiceStub(guarded.client.channel), name)

    def read(workflow_id: str, user: str, role: Role = Role.USER) -> Any:
        return ask(method, ASKED[name](id=workflow_id, user_id=user), by(role))

    assert read(hers, "alice")
    assert read(his, "", Role.AUDITOR)
    for user in ("", "bob"):
        refusal = refused(partial(read, his, user))
        assert refusal.code is grpc.StatusCode.PERMISSION_DENIED
    theirs = refused(lambda: read(his, "alice"))
    absent = refused(lambda: read(requests.ABSENT, "alice"))
    assert theirs.code is absent.code is grpc.StatusCode.NOT_FOUND
    assert theirs.message.replace(his, requests.ABSENT) == absent.message
