"""CreateWorkflow: a new workflow, or every bad field named."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as for_all
from workflows_testing import strategies

from domain.commands import CreateWorkflow
from domain.errors import WorkflowExists
from domain.workflow import Workflow, evolve
from tests.support.given import (
    CATALOGUE,
    HTTP,
    ID,
    NOW,
    OWNER,
    create,
    created,
    deleted,
    fields_refused,
    given,
    terminated,
    workflow,
)


def test_creating_records_what_was_asked_for() -> None:
    asked = create(name="Über 🚀", interval=60, max_consecutive_job_failures_allowed=7)
    assert given().when(asked) == [created(name="Über 🚀", interval=60, max_failures=7)]


@pytest.mark.parametrize("by_default", [True, False])
@pytest.mark.parametrize("asked", [None, True, False])
def test_logs_are_kept_as_asked_or_as_the_kind_has_it(asked: bool | None, by_default: bool) -> None:
    kinds = {"http": replace(CATALOGUE.kinds["http"], log_retention=by_default)}
    command = create(log_retention=asked, catalogue=replace(CATALOGUE, kinds=kinds))
    kept = by_default if asked is None else asked
    assert given().when(command) == [created(log_retention=kept)]


def test_a_new_workflow_is_pending_unfailed_and_of_generation_1() -> None:
    assert workflow(created()) == Workflow(
        user_id=OWNER,
        name="nightly",
        payload=HTTP,
        kind="http",
        interval=5,
        max_failures=3,
        log_retention=True,
        build_status="pending",
        failures=0,
        generation=1,
        created_at=NOW,
        updated_at=NOW,
        terminated_at=None,
        deleted_at=None,
    )


def test_a_key_leaves_no_trace_in_the_fact() -> None:
    assert given().when(create(idempotency_key="k")) == [created()]


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([created()], id="active"),
        pytest.param([created(), terminated()], id="terminated"),
        pytest.param([created(), terminated(), deleted()], id="deleted"),
    ],
)
def test_a_taken_id_is_refused(history: list[Any]) -> None:
    with pytest.raises(WorkflowExists) as refusal:
        given(*history).when(create())
    assert refusal.value.workflow_id == ID


def test_a_second_creation_in_a_history_is_no_history() -> None:
    with pytest.raises(ValueError, match="created"):
        evolve(workflow(created()), created())


@pytest.mark.parametrize("kind", CATALOGUE.kinds)
def test_every_known_kind_can_be_created(kind: str) -> None:
    payload = '{"url": "http://h", "image": "i"}'
    assert given().when(create(kind=kind, payload=payload)) == [created(kind=kind, payload=payload)]


@pytest.mark.parametrize("kind", ["", "HTTP", "http ", "grpc", "http\n"])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    assert fields_refused(lambda: create(kind=kind)) == ["kind"]


def test_a_bad_payload_is_named_beside_an_unknown_kind() -> None:
    assert fields_refused(lambda: create(kind="grpc", payload="[]")) == ["kind", "payload"]


def test_a_payload_must_fit_its_kind() -> None:
    assert fields_refused(lambda: create(kind="docker", payload=HTTP)) == ["payload"]


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("id", "not-a-uuid"),
        ("user_id", ""),
        ("user_id", "x" * 256),
        ("user_id", "a\x00b"),
        ("name", ""),
        ("name", "x" * 256),
        ("name", "a\nb"),
        ("interval", 0),
        ("interval", 525_601),
        ("max_consecutive_job_failures_allowed", 0),
        ("max_consecutive_job_failures_allowed", 101),
        ("idempotency_key", "x" * 256),
        ("idempotency_key", "a\tb"),
    ],
)
def test_a_field_outside_its_bounds_is_named(field: str, bad: str | int) -> None:
    assert fields_refused(lambda: create(**{field: bad})) == [field]


def test_all_bad_fields_of_one_request_are_named_together() -> None:
    def everything_wrong() -> CreateWorkflow:
        return CreateWorkflow(
            id="",
            user_id="",
            name="",
            payload="",
            kind="",
            interval=0,
            max_consecutive_job_failures_allowed=0,
            log_retention=True,
            idempotency_key="\x00",
            now=NOW,
            catalogue=CATALOGUE,
        )

    assert set(fields_refused(everything_wrong)) == {
        "id",
        "user_id",
        "name",
        "payload",
        "kind",
        "interval",
        "max_consecutive_job_failures_allowed",
        "idempotency_key",
    }


@for_all(strategies.creates())
def test_whatever_is_within_the_bounds_is_kept_as_it_came(asked: CreateWorkflow) -> None:
    assert given().when(asked) == [
        created(
            user_id=asked.user_id,
            name=asked.name,
            payload=asked.payload,
            kind=asked.kind,
            interval=asked.interval,
            max_failures=asked.max_consecutive_job_failures_allowed,
            log_retention=asked.log_retention is not False,
            at=asked.now,
        )
    ]
