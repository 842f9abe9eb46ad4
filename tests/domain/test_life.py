"""The aggregate under the kit's random lives, and broken aggregates that those lives find out."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from workflows_testing.life import Decide, Evolve, life

from domain.commands import Command, IncrementFailures
from domain.errors import WorkflowNotFound
from domain.events import FailureIncremented, WorkflowEvent
from domain.workflow import Workflow, decide, evolve

LIVES = settings(settings.get_profile("workflows"), max_examples=60, stateful_step_count=30)

TestLife = life(decide, evolve).TestCase
TestLife.settings = LIVES
FOUND_SOON = settings(LIVES, phases=[Phase.generate], report_multiple_bugs=False)


def forgets_a_failure(workflow: Workflow | None, command: Command) -> Sequence[WorkflowEvent]:
    return [] if isinstance(command, IncrementFailures) and workflow else decide(workflow, command)


def refuses_without_reason(workflow: Workflow | None, command: Command) -> Sequence[WorkflowEvent]:
    if workflow and workflow.generation > 1:
        raise WorkflowNotFound(command.id)
    return decide(workflow, command)


def counts_twice(workflow: Workflow | None, event: WorkflowEvent) -> Workflow:
    after = evolve(workflow, event)
    return replace(after, failures=2) if isinstance(event, FailureIncremented) else after


@pytest.mark.parametrize(
    ("broken_decide", "broken_evolve"),
    [(forgets_a_failure, evolve), (refuses_without_reason, evolve), (decide, counts_twice)],
)
def test_a_broken_aggregate_is_found_out(broken_decide: Decide, broken_evolve: Evolve) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(life(broken_decide, broken_evolve), settings=FOUND_SOON)
