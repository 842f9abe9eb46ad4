"""What differs between two states, and why an event happened."""

from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import pytest

from domain.diffs import FieldChange, changes
from domain.events import FAILURE_THRESHOLD, WorkflowEvent
from domain.reasons import reason
from domain.workflow import Workflow, evolve
from tests.support.given import (
    HTTP,
    LATER,
    NOW,
    OTHER_HTTP,
    built,
    created,
    deleted,
    failed,
    reset,
    terminated,
    updated,
    workflow,
)


def test_a_creation_gives_every_field_that_has_a_value() -> None:
    state = workflow(created())
    found = {change.field: (change.before, change.after) for change in changes(None, state)}
    names = {field.name for field in fields(Workflow)} - {"terminated_at", "deleted_at"}
    assert found == {name: (None, getattr(state, name)) for name in names}


def test_equal_states_have_no_changes() -> None:
    assert changes(workflow(created()), workflow(created())) == ()
    assert changes(None, None) == ()


def test_every_field_that_differs_is_named_once_with_both_values() -> None:
    before = workflow(created())
    after = evolve(before, updated(payload=OTHER_HTTP, interval=6, generation=2, at=LATER))
    assert changes(before, after) == (
        FieldChange("payload", HTTP, OTHER_HTTP),
        FieldChange("interval", 5, 6),
        FieldChange("generation", 1, 2),
        FieldChange("updated_at", NOW, LATER),
    )


@pytest.mark.parametrize("name", [field.name for field in fields(Workflow)])
def test_no_field_is_left_out(name: str) -> None:
    before = workflow(created())
    now = getattr(before, name)
    other = _OTHER[type(now)]
    assert changes(before, replace(before, **{name: other})) == (FieldChange(name, now, other),)


_OTHER: dict[type, Any] = {
    str: "other",
    int: 99,
    bool: False,
    datetime: LATER,
    type(None): LATER,
}


REASONS: dict[str, tuple[list[WorkflowEvent], WorkflowEvent]] = {
    "created by request for alice": ([], created()),
    "updated by request": ([created()], updated(name="other")),
    "updated by request: generation 2": ([created()], updated(interval=6, generation=2)),
    "updated by request, which made it active again: generation 2": (
        [created(), terminated()],
        updated(generation=2),
    ),
    "the build of generation 1 reached success": (
        [created()],
        built("success"),
    ),
    "failure 2 of 3 by job j-2": (
        [created(), failed(1)],
        failed(2, "j-2"),
    ),
    "failure 1 of 3 by a job without an id": ([created()], failed(1)),
    "failure 3 of 3 by job j-3": (
        [created(), failed(3)],
        terminated(FAILURE_THRESHOLD, "j-3"),
    ),
    "the count of 2 failures was cleared by request": (
        [created(), failed(2)],
        reset(),
    ),
    "terminated by request": ([created()], terminated()),
    "deleted by request": ([created()], deleted()),
}


@pytest.mark.parametrize("sentence", REASONS)
def test_the_reason_is_a_sentence(sentence: str) -> None:
    history, event = REASONS[sentence]
    before = workflow(*history) if history else None
    assert reason(before, event) == sentence
