"""Commands that carry a key happen once: at any process, under any race, after any restart."""

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import pytest
from workflows_testing.requests import ABSENT, OTHER_HTTP

from tests.support.client import Answer, Client, Refused, refused, together
from tests.support.database import value
from tests.support.records import assert_consistent, events_of
from tests.support.service import Service

_CREATED_FOR = """
    SELECT count(*) FROM workflow_events
    WHERE topic = 'created.v1' AND convert_from(content, 'UTF8')::json -> 'event' ->> 'user_id' = %s
"""


def test_racing_creates_with_one_key_make_one_workflow(
    client: Client, elsewhere: Client, user: str, shared_database: str
) -> None:
    creates = [partial(c.create, user, idempotency_key="k") for c in (client, elsewhere)] * 24
    answers = _answered(together(creates))
    assert len({answer.message.id for answer in answers}) == 1
    assert value(shared_database, _CREATED_FOR, user) == 1


def test_all_but_one_of_racing_creates_are_answered_by_the_ledger(
    client: Client, elsewhere: Client, user: str
) -> None:
    creates = [partial(c.create, user, idempotency_key="k") for c in (client, elsewhere)] * 24
    answers = _answered(together(creates))
    assert [answer.replayed for answer in answers].count(False) == 1


def test_a_replay_carries_the_first_answers_version_and_position(
    client: Client, elsewhere: Client, user: str
) -> None:
    first = client.create(user, idempotency_key="k")
    client.update(first.message.id, user, interval=6)
    again = elsewhere.create(user, idempotency_key="k")
    assert (again.version, again.position) == (first.version, first.position)


@pytest.mark.parametrize(
    "differing",
    [
        {"name": "weekly"},
        {"payload": OTHER_HTTP},
        {"kind": "script"},
        {"interval": 6},
        {"max_consecutive_job_failures_allowed": 4},
        {"log_retention": True},
    ],
    ids=lambda differing: next(iter(differing)),
)
def test_a_key_with_another_request_is_refused(
    client: Client, elsewhere: Client, user: str, differing: dict[str, Any]
) -> None:
    first = client.created(user, idempotency_key="k")
    refusal = refused(lambda: elsewhere.create(user, idempotency_key="k", **differing))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.ALREADY_EXISTS,
        "IDEMPOTENCY_KEY_REUSED",
    )
    assert client.walk(user) == [first]


def test_a_key_belongs_to_its_user(client: Client, user: str, other_user: str) -> None:
    mine = client.create(user, idempotency_key="k")
    theirs = client.create(other_user, idempotency_key="k")
    assert mine.message.id != theirs.message.id
    assert not theirs.replayed


def test_a_key_belongs_to_its_method(client: Client, user: str) -> None:
    workflow_id = client.created(user, idempotency_key="k")
    assert not client.update(workflow_id, user, interval=6, idempotency_key="k").replayed


def test_a_refused_create_leaves_its_key_free(client: Client, user: str) -> None:
    refused(lambda: client.create(user, idempotency_key="k", interval=0))
    assert not client.create(user, idempotency_key="k").replayed


def test_a_key_outlives_its_workflow(client: Client, elsewhere: Client, user: str) -> None:
    workflow_id = client.created(user, idempotency_key="k")
    client.delete(workflow_id, user)
    assert elsewhere.create(user, idempotency_key="k").message.id == workflow_id


def test_an_update_with_a_key_is_applied_once(
    client: Client, elsewhere: Client, user: str, shared_database: str
) -> None:
    workflow_id = client.created(user)
    client.update(workflow_id, user, interval=6, idempotency_key="k")
    client.update(workflow_id, user, interval=7)
    assert elsewhere.update(workflow_id, user, interval=6, idempotency_key="k").replayed
    assert client.get(workflow_id, user).message.interval == 7
    assert events_of(shared_database, workflow_id) == ["created", "updated", "updated"]


def test_an_update_that_changed_nothing_still_keeps_its_key(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    client.update(workflow_id, user, idempotency_key="k")
    refusal = refused(lambda: client.update(workflow_id, user, interval=6, idempotency_key="k"))
    assert refusal.code == grpc.StatusCode.ALREADY_EXISTS


def test_an_update_key_belongs_to_its_workflow(client: Client, user: str) -> None:
    one, other = client.created(user), client.created(user)
    answers = [client.update(i, user, interval=6, idempotency_key="k") for i in (one, other)]
    assert [(answer.version, answer.replayed) for answer in answers] == [(2, False)] * 2


def test_another_users_update_with_a_used_key_is_not_answered(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    client.update(workflow_id, user, interval=6, idempotency_key="k")
    for interval in (6, 7):
        stolen = partial(client.update, workflow_id, "mallory", interval=interval)
        refusal = refused(partial(stolen, idempotency_key="k"))
        assert refusal.code == grpc.StatusCode.NOT_FOUND


def test_a_refused_update_leaves_its_key_free(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    refused(lambda: client.update(ABSENT, user, idempotency_key="k"))
    assert not client.update(workflow_id, user, interval=6, idempotency_key="k").replayed


def test_keys_and_jobs_survive_a_restart(serve: Callable[..., Service]) -> None:
    service = serve()
    created = service.client.create("alice", idempotency_key="k")
    counted = service.client.increment(created.message.id, "job")
    service.kill()
    client = serve().client
    again = client.create("alice", idempotency_key="k")
    assert (again.message.id, again.replayed) == (created.message.id, True)
    repeated = client.increment(created.message.id, "job")
    assert (repeated.position, repeated.replayed) == (counted.position, True)


def test_a_redelivered_job_counts_once(client: Client, elsewhere: Client, user: str) -> None:
    workflow_id = client.created(user)
    client.increment(workflow_id, "job")
    client.reset(workflow_id)
    assert elsewhere.increment(workflow_id, "job").replayed
    assert client.get(workflow_id, user).message.consecutive_job_failures_count == 0


def test_a_job_belongs_to_its_workflow(client: Client, user: str) -> None:
    one, other = client.created(user), client.created(user)
    client.increment(one, "job")
    assert not client.increment(other, "job").replayed


def test_increments_without_a_job_all_count(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    assert not any(client.increment(workflow_id).replayed for _ in range(2))
    assert client.get(workflow_id, user).message.consecutive_job_failures_count == 2


def test_a_counted_job_of_another_users_workflow_is_not_found(
    client: Client, user: str, other_user: str
) -> None:
    workflow_id = client.created(user)
    client.increment(workflow_id, "job")
    refusal = refused(lambda: client.increment(workflow_id, "job", other_user))
    assert refusal.code == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("processes", [2, 3])
def test_one_of_racing_increments_reaches_the_threshold(
    services: tuple[Service, ...], processes: int, user: str, shared_database: str
) -> None:
    workflow_id = services[0].client.created(user, max_consecutive_job_failures_allowed=32)
    answers = _answered(together(_increments(services[:processes], workflow_id)))
    assert [answer.message.threshold_reached for answer in answers].count(True) == 1
    assert events_of(shared_database, workflow_id) == [
        "created",
        *["failure_incremented"] * 32,
        "terminated",
    ]
    found = services[0].client.get(workflow_id, user).message
    assert (found.consecutive_job_failures_count, bool(found.terminated_at)) == (32, True)


def test_redelivered_jobs_are_answered_as_before_after_the_end(
    services: tuple[Service, ...], user: str
) -> None:
    workflow_id = services[0].client.created(user, max_consecutive_job_failures_allowed=32)
    increments = _increments(services, workflow_id)
    before = _answered(together(increments))
    after = _answered(together(increments[::-1]))[::-1]
    assert all(answer.replayed for answer in after)
    assert [a.message for a in after] == [a.message for a in before]


def test_a_new_job_after_the_end_is_refused(client: Client, user: str) -> None:
    workflow_id = client.created(user, max_consecutive_job_failures_allowed=1)
    client.increment(workflow_id, "job")
    refusal = refused(lambda: client.increment(workflow_id, "other"))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "WORKFLOW_TERMINATED",
    )


def test_of_racing_increments_past_the_threshold_only_the_first_count(
    services: tuple[Service, ...], user: str
) -> None:
    workflow_id = services[0].client.created(user, max_consecutive_job_failures_allowed=8)
    outcomes = together(_increments(services, workflow_id))
    refusals = [outcome.code for outcome in outcomes if isinstance(outcome, Refused)]
    assert refusals == [grpc.StatusCode.FAILED_PRECONDITION] * 24


def test_what_raced_left_a_consistent_database(
    serve: Callable[..., Service], database: str
) -> None:
    running = [serve(), serve()]
    workflow_id = running[0].client.created("alice", max_consecutive_job_failures_allowed=40)
    creates = [partial(s.client.create, "bob", idempotency_key="k") for s in running] * 8
    together(creates)
    together(_increments(running, workflow_id))
    assert_consistent(database)


def _increments(services: Any, workflow_id: str) -> list[Callable[[], Answer[Any]]]:
    return [
        partial(services[job % len(services)].client.increment, workflow_id, f"job {job}")
        for job in range(32)
    ]


def _answered(outcomes: list[Answer[Any] | Refused]) -> list[Answer[Any]]:
    answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    assert answers == outcomes, "some were refused"
    return answers
