"""`workflows seed`: real histories, recorded once."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import grpc
import pytest
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

from infrastructure.cli.seed.stories import Delete, Story, stories
from infrastructure.cli.seed.storyteller import Storyteller
from tests.support.command_line import answer, one_line, workflows
from tests.support.database import select, value
from tests.support.given import CATALOGUE
from tests.support.records import assert_consistent
from tests.support.service import Service

STEPS = sum(1 + len(story.steps) for story in stories())


@pytest.fixture
def target(database: str) -> Iterator[str]:
    """The address of a service that has no workflow yet."""
    with Service("--database-url", database) as service:
        yield service.address


def tell(target: str, told: Sequence[Story]) -> int:
    """Tells these stories; how many of their steps were news."""
    with grpc.insecure_channel(target) as channel:
        teller = Storyteller(WorkflowsServiceStub(channel))
        return sum(teller.tell(story) for story in told)


def named(name: str) -> Story:
    """The story of this name."""
    return next(story for story in stories() if story.name == name)


def cut(story: Story, steps: int) -> Story:
    """A story that ends after some of its steps."""
    return replace(story, steps=story.steps[:steps])


def recorded(database: str) -> Sequence[tuple[Any, ...]]:
    """Every event and every ledger entry, as stored."""
    events = select(database, "SELECT * FROM workflow_events ORDER BY notification_id")
    return [*events, *select(database, "SELECT * FROM command_ledger ORDER BY key")]


def test_seeding_shows_workflows_in_every_condition(target: str) -> None:
    said = answer("seed", "--target", target, "--json")
    listed = [workflow for theirs in said["workflows"].values() for workflow in theirs]
    ended = [w for w in listed if w["terminated_at"]]
    at_maximum = [
        w
        for w in ended
        if w["consecutive_job_failures_count"] == w["max_consecutive_job_failures_allowed"]
    ]
    assert said["recorded"] == STEPS
    assert list(said["workflows"]) == ["ada", "grace", "linus"]
    assert {w["kind"] for w in listed} == set(CATALOGUE.kinds)
    assert {w["build_status"] for w in listed} == set(CATALOGUE.build_statuses)
    assert 0 < len(at_maximum) < len(ended) < len(listed)
    assert len(listed) == len(stories()) - sum(Delete() in s.steps for s in stories())


def test_each_step_records_one_event_and_a_maximum_one_more(target: str, database: str) -> None:
    answer("seed", "--target", target, "--json")
    terminated_by_failures = value(
        database, "SELECT count(*) FROM workflows WHERE failures = max_failures"
    )
    assert value(database, "SELECT count(*) FROM workflow_events") == STEPS + terminated_by_failures
    assert_consistent(database)


def test_seeding_again_changes_nothing(target: str, database: str) -> None:
    first = answer("seed", "--target", target, "--json")
    before = recorded(database)
    again = answer("seed", "--target", target, "--json")
    assert again == first | {"recorded": 0}
    assert recorded(database) == before


def test_seeding_finishes_what_was_interrupted(target: str, database: str) -> None:
    told = tell(target, [cut(story, len(story.steps) // 2) for story in stories()[:15]])
    said = answer("seed", "--target", target, "--json")
    assert 0 < told < STEPS
    assert said["recorded"] == STEPS - told
    versions = dict(select(database, "SELECT name, version FROM workflows"))
    assert versions["Exchange rates"] == 1 + len(named("Exchange rates").steps)
    assert versions["Bug digest"] == 1 + len(named("Bug tracker digest").steps)


def test_what_users_did_to_seeded_workflows_stands(target: str, database: str) -> None:
    first = answer("seed", "--target", target, "--json")
    deleted, terminated = (workflow["id"] for workflow in first["workflows"]["linus"][-2:])
    for method, workflow_id in (("DeleteWorkflow", deleted), ("TerminateWorkflow", terminated)):
        request = json.dumps({"id": workflow_id, "user_id": "linus"})
        answer("call", method, request, "--target", target)
    before = recorded(database)
    again = answer("seed", "--target", target, "--json")
    assert again["recorded"] == 0
    assert deleted not in {w["id"] for w in again["workflows"]["linus"]}
    assert recorded(database) == before


def test_a_story_whose_workflow_was_ended_before_its_end_is_over(target: str) -> None:
    begun = named("Exchange rates")
    tell(target, [cut(begun, 0)])
    [workflow] = answer("call", "ListWorkflows", '{"user_id": "ada"}', "--target", target)[
        "workflows"
    ]
    request = json.dumps({"id": workflow["id"], "user_id": "ada"})
    answer("call", "TerminateWorkflow", request, "--target", target)
    assert answer("seed", "--target", target, "--json")["recorded"] == STEPS - 1 - len(begun.steps)


def test_people_see_who_has_what_and_what_to_try_next(target: str) -> None:
    said = one_line(workflows("seed", "--target", target).stdout)
    assert "Legacy FTP sync docker 30 min success 3 of 3 terminated" in said
    assert f"{STEPS} steps recorded." in said
    assert f"""workflows call ListWorkflows '{{"user_id": "ada"}}' --target {target}""" in said
    assert "Nothing to do" in workflows("seed", "--target", target).stdout
