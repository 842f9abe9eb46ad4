"""A whole life under random commands: rules that hold for all commands in any order.

`life(decide, evolve)` makes a state machine for a pair of functions:

    decide(state, command) -> events    raises a WorkflowError if the command is refused
    evolve(state, event) -> state       None is the state before the creation

A state has the attributes of `domain.workflow.Workflow`.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.commands import (
    Command,
    CreateWorkflow,
    DeleteWorkflow,
    IncrementFailures,
    ResetFailures,
    TerminateWorkflow,
    UpdateBuildStatus,
    UpdateWorkflow,
)
from domain.errors import (
    InvalidFields,
    StaleGeneration,
    WorkflowError,
    WorkflowExists,
    WorkflowNotFound,
    WorkflowTerminated,
)
from domain.events import Deleted, WorkflowEvent
from domain.workflow import Workflow
from workflows_testing import strategies

Decide = Callable[[Workflow | None, Command], Sequence[WorkflowEvent]]
Evolve = Callable[[Workflow | None, WorkflowEvent], Workflow]

OWNER, OTHER_USER, ANYBODY = "alice", "mallory", ""

_SAME = {
    "id": st.just("0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f"),
    "now": st.just(datetime(2026, 11, 22, 11, tzinfo=UTC)),
}
_PEOPLE = st.sampled_from([OWNER] * 7 + [OTHER_USER])
_ANYONE = st.sampled_from([OWNER, ANYBODY] * 3 + [OTHER_USER])
_FEW = st.integers(1, 3)
_URL, _IMAGE, _NEITHER = '{"url": "http://h"}', '{"image": "i"}', "{}"
_FITS_ALL = '{"url": "http://h", "image": "i"}'
_FIT = {
    "http": {_URL, _FITS_ALL},
    "docker": {_IMAGE, _FITS_ALL},
    "script": {_URL, _IMAGE, _NEITHER, _FITS_ALL},
}
_ASKED = {
    **_SAME,
    "user_id": _PEOPLE,
    "name": st.sampled_from(["nightly", "hourly"]),
    "interval": _FEW,
    "max_consecutive_job_failures_allowed": _FEW,
}
_CREATIONS = strategies.creates(**_ASKED, payload=st.just(_FITS_ALL))
_UPDATES = strategies.updates(**_ASKED, payload=st.sampled_from([_URL, _IMAGE, _NEITHER]))
_BUILDS = strategies.build_status_updates(
    **_SAME, user_id=_ANYONE, generation=st.sampled_from([0, 0, 1, 2])
)
_RESETS = strategies.resets(**_SAME, user_id=_ANYONE)
_TERMINATIONS = strategies.terminations(**_SAME, user_id=_PEOPLE)
_DELETIONS = strategies.deletions(**_SAME, user_id=_PEOPLE)


class Life(RuleBasedStateMachine):
    """One workflow, from before its creation to after its deletion."""

    decide: Decide
    evolve: Evolve

    def __init__(self) -> None:
        super().__init__()
        self.step = 0
        self.history: list[WorkflowEvent] = []
        self.live: Workflow | None = None
        self.terminating = True

    @initialize(terminating=st.booleans(), command=_CREATIONS)
    def is_created_by_a_service_that_terminates_or_not(
        self, terminating: bool, command: CreateWorkflow
    ) -> None:
        self.terminating = terminating
        self.submit(command)

    @rule(command=_CREATIONS)
    def create(self, command: Command) -> None:
        self.submit(command)

    @rule(command=_UPDATES)
    def update(self, command: Command) -> None:
        self.submit_idempotent(command)

    @rule(command=_BUILDS)
    def update_build_status(self, command: Command) -> None:
        self.submit_idempotent(command)

    @rule(data=st.data())
    def increment(self, data: st.DataObject) -> None:
        setting = st.just(self.terminating)
        commands = strategies.increments(**_SAME, user_id=_ANYONE, terminate_at_threshold=setting)
        self.submit(data.draw(commands))

    @rule(command=_RESETS)
    def reset(self, command: Command) -> None:
        self.submit_idempotent(command)

    @precondition(lambda self: self.step > 8)  # A life should have some commands before its end.
    @rule(command=_TERMINATIONS)
    def terminate(self, command: Command) -> None:
        self.submit_idempotent(command)

    @precondition(lambda self: self.step > 16)
    @rule(command=_DELETIONS)
    def delete(self, command: Command) -> None:
        self.submit(command)

    def submit(self, command: Command) -> bool:
        """Decides a command on the live state; returns whether it was accepted."""
        self.step += 1
        before = self.live
        events, refusal = self._decided(before, command)
        expected = expected_refusal(before, command)
        assert refusal is expected, f"{expected or 'acceptance'} was right, not {refusal}"
        if refusal:
            return False
        for event in events:
            self.live = self.evolve(self.live, event)
        self.history += events
        self.check_step(before, command)
        return True

    def submit_idempotent(self, command: Command) -> None:
        """As submit(); then decides the command again, which must change nothing."""
        if self.submit(command):
            assert self._decided(self.live, command) == ([], None)

    def _decided(
        self, before: Workflow | None, command: Command
    ) -> tuple[Sequence[WorkflowEvent], type[WorkflowError] | None]:
        try:
            return list(self.decide(before, command)), None
        except WorkflowError as refusal:
            return [], type(refusal)

    def check_step(self, before: Workflow | None, command: Command) -> None:
        """What an accepted command may change."""
        assert self.live is not None
        if before is None:
            return
        assert self.live.generation - before.generation in (0, 1)
        assert (self.live.user_id, self.live.kind) == (before.user_id, before.kind)
        assert self.live.created_at == before.created_at
        if isinstance(command, IncrementFailures):
            assert self.live.failures == before.failures + 1
        if isinstance(command, UpdateWorkflow | ResetFailures):
            assert self.live.failures == 0
        if before.terminated_at is None:
            return
        if isinstance(command, UpdateWorkflow):
            assert self.live.terminated_at is None
            assert self.live.generation == before.generation + 1
        else:
            assert self.live == before or isinstance(command, DeleteWorkflow)

    @invariant()
    def the_history_leads_to_the_live_state(self) -> None:
        state = None
        for event in self.history:
            state = self.evolve(state, event)
        assert state == self.live

    @invariant()
    def nothing_follows_a_deletion(self) -> None:
        assert not any(isinstance(event, Deleted) for event in self.history[:-1])

    @invariant()
    def failures_are_never_negative(self) -> None:
        assert self.live is None or self.live.failures >= 0

    @invariant()
    def an_active_workflow_is_below_its_threshold_if_that_terminates(self) -> None:
        if self.terminating and self.live and not self.live.terminated_at:
            assert self.live.failures < self.live.max_failures


def life(decide: Decide, evolve: Evolve) -> type[Life]:
    """The state machine for this pair; its `TestCase` is what a test runner runs."""

    class Pair(Life):
        pass

    Pair.decide = staticmethod(decide)
    Pair.evolve = staticmethod(evolve)
    Pair.__name__ = Pair.__qualname__ = "Life"
    return Pair


def expected_refusal(before: Workflow | None, command: Command) -> type[WorkflowError] | None:
    """What the contract refuses a command with in this state; None if it accepts it."""
    if isinstance(command, CreateWorkflow):
        return WorkflowExists if before else None
    if before is None or before.deleted_at or command.user_id not in (ANYBODY, before.user_id):
        return WorkflowNotFound
    if isinstance(command, TerminateWorkflow | DeleteWorkflow):
        return None
    if isinstance(command, UpdateWorkflow):
        changed = command.payload != before.payload
        return InvalidFields if changed and command.payload not in _FIT[before.kind] else None
    if before.terminated_at:
        return WorkflowTerminated
    if isinstance(command, UpdateBuildStatus) and command.generation not in (0, before.generation):
        return StaleGeneration
    return None
