"""Whose workflow it is, and whether it may still change: each method on its own."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from workflows_testing.requests import ABSENT

from tests.support.client import Client, refused

MUTATIONS: dict[str, Callable[[Client, str, str], Any]] = {
    "update": lambda client, workflow_id, user: client.update(workflow_id, user, interval=6),
    "build": lambda client, workflow_id, user: client.build(workflow_id, "building", user),
    "increment": lambda client, workflow_id, user: client.increment(workflow_id, "", user),
    "reset": Client.reset,
    "terminate": Client.terminate,
    "delete": Client.delete,
}
OWNED = {**MUTATIONS, "get": Client.get}
AFTER_THE_END = ["build", "increment", "reset"]


@pytest.mark.parametrize("method", AFTER_THE_END)
def test_a_terminated_workflow_takes_no_change(client: Client, user: str, method: str) -> None:
    workflow_id = client.created(user)
    client.terminate(workflow_id, user)
    refusal = refused(lambda: MUTATIONS[method](client, workflow_id, user))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "WORKFLOW_TERMINATED",
    )


@pytest.mark.parametrize("method", OWNED)
def test_a_deleted_workflow_is_not_found(client: Client, user: str, method: str) -> None:
    workflow_id = client.created(user)
    client.delete(workflow_id, user)
    refusal = refused(lambda: OWNED[method](client, workflow_id, user))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "WORKFLOW_NOT_FOUND")


@pytest.mark.parametrize("method", OWNED)
def test_an_absent_workflow_is_not_found(client: Client, user: str, method: str) -> None:
    refusal = refused(lambda: OWNED[method](client, ABSENT, user))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "WORKFLOW_NOT_FOUND")


@pytest.mark.parametrize("method", OWNED)
def test_another_users_workflow_is_refused_like_an_absent_one(
    client: Client, user: str, other_user: str, method: str
) -> None:
    workflow_id = client.created(user)
    before = client.get(workflow_id, user)
    theirs = refused(lambda: OWNED[method](client, workflow_id, other_user))
    absent = refused(lambda: OWNED[method](client, ABSENT, other_user))
    assert theirs.code == absent.code == grpc.StatusCode.NOT_FOUND
    assert theirs.message.replace(workflow_id, ABSENT) == absent.message
    assert client.get(workflow_id, user) == before


@pytest.mark.parametrize("method", ["build", "increment", "reset"])
def test_an_internal_method_needs_no_user(client: Client, user: str, method: str) -> None:
    workflow_id = client.created(user)
    MUTATIONS[method](client, workflow_id, "")


@pytest.mark.parametrize("method", OWNED)
def test_ids_may_come_in_upper_case(client: Client, user: str, method: str) -> None:
    OWNED[method](client, client.created(user).upper(), user)


def test_get_by_id_takes_an_id_in_upper_case_and_answers_as_stored(
    client: Client, user: str
) -> None:
    workflow_id = client.created(user)
    assert client.get_by_id(workflow_id.upper()).message.id == workflow_id


@pytest.mark.parametrize("method", [m for m in MUTATIONS if m != "delete"])
def test_another_process_reads_what_was_written(
    client: Client, elsewhere: Client, user: str, method: str
) -> None:
    workflow_id = client.created(user)
    client.increment(workflow_id)
    MUTATIONS[method](client, workflow_id, user)
    assert elsewhere.get(workflow_id, user) == client.get(workflow_id, user)
