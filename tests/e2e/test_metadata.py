"""The trailing metadata that checkers and followers rely on."""

from functools import partial
from typing import Any

import pytest
from workflows_testing.requests import ABSENT, create

from tests.support.client import Answer, Client, Refused, ask, refused, together
from tests.support.database import value
from tests.support.records import positions_are_gapless

_ORIGIN = """
    SELECT convert_from(content, 'UTF8')::json ->> %s
    FROM workflow_events WHERE originator_id = %s
"""


def test_the_version_counts_the_workflows_events(client: Client, user: str) -> None:
    created = client.create(user)
    workflow_id = created.message.id
    answers: list[Answer[Any]] = [
        created,
        client.update(workflow_id, user, interval=6),
        client.build(workflow_id, "building"),
        client.increment(workflow_id),
        client.reset(workflow_id),
        client.terminate(workflow_id, user),
        client.delete(workflow_id, user),
    ]
    assert [answer.version for answer in answers] == [1, 2, 3, 4, 5, 6, 7]


def test_positions_follow_one_another_without_a_gap(client: Client, user: str) -> None:
    created = client.create(user)
    workflow_id = created.message.id
    answers: list[Answer[Any]] = [
        created,
        client.update(workflow_id, user, interval=6),
        client.build(workflow_id, "building"),
        client.increment(workflow_id),
        client.reset(workflow_id),
        client.create(user),
        client.terminate(workflow_id, user),
        client.delete(workflow_id, user),
    ]
    first = created.position
    assert [answer.position for answer in answers] == list(range(first, first + len(answers)))


def test_the_increment_that_ends_a_workflow_has_two_events(client: Client, user: str) -> None:
    created = client.create(user, max_consecutive_job_failures_allowed=1)
    ended = client.increment(created.message.id)
    assert (ended.version, ended.position) == (3, created.position + 2)


def test_a_call_that_records_nothing_answers_where_the_workflow_stands(
    client: Client, user: str
) -> None:
    created = client.create(user)
    workflow_id = created.message.id
    client.create(user)
    answers: list[Answer[Any]] = [
        client.update(workflow_id, user),
        client.build(workflow_id, "pending"),
        client.reset(workflow_id),
    ]
    assert {(a.version, a.position) for a in answers} == {(1, created.position)}


def test_a_refused_call_takes_no_position(client: Client, user: str) -> None:
    before = client.create(user).position
    refused(lambda: client.terminate(ABSENT, user))
    assert client.create(user).position == before + 1


def test_a_read_carries_the_version_that_it_reflects(
    client: Client, elsewhere: Client, user: str
) -> None:
    workflow_id = client.created(user)
    client.increment(workflow_id)
    assert elsewhere.get(workflow_id, user).version == 2
    assert elsewhere.get_by_id(workflow_id).version == 2


def test_a_position_says_what_it_counts_in(client: Client, user: str, shared_database: str) -> None:
    epoch = value(shared_database, "SELECT epoch FROM feed_epoch")
    created = client.create(user)
    ended = client.terminate(created.message.id, user)
    assert created.trailing["x-event-feed"] == ended.trailing["x-event-feed"] == f"0/{epoch}"


def test_a_read_carries_no_position(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    assert "x-event-position" not in client.get(workflow_id, user).trailing


def test_a_first_answer_is_no_replay(client: Client, user: str) -> None:
    assert "x-replayed" not in client.create(user, idempotency_key="k").trailing


def test_a_repeated_answer_says_that_it_is_a_replay(client: Client, user: str) -> None:
    client.create(user, idempotency_key="k")
    assert client.create(user, idempotency_key="k").trailing["x-replayed"] == "true"


def test_positions_of_racing_calls_leave_no_gap(
    client: Client, elsewhere: Client, user: str, shared_database: str
) -> None:
    creates = [partial(c.create, user) for c in (client, elsewhere)] * 16
    answers = [answer for answer in together(creates) if not isinstance(answer, Refused)]
    assert len({answer.position for answer in answers}) == 32
    assert positions_are_gapless(shared_database)


@pytest.mark.parametrize(
    ("name", "metadata", "stored"),
    [
        ("request_id", (("x-request-id", "call-7"),), "client:call-7"),
        (
            "trace_id",
            (("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),),
            "0af7651916cd43dd8448eb211c80319c",
        ),
        ("actor", (("x-actor", "root"),), "anonymous"),
    ],
)
def test_an_event_keeps_where_it_came_from(
    client: Client,
    user: str,
    shared_database: str,
    name: str,
    metadata: tuple[tuple[str, str | bytes], ...],
    stored: str,
) -> None:
    answer = ask(client.stub.CreateWorkflow, create(user), metadata)
    assert value(shared_database, _ORIGIN, name, answer.message.id) == stored
