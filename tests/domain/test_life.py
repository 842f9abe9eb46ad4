"""A whole life under random commands: what holds whatever is asked, in whatever order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.commands import (
    Command,
    CreateWorkflow,
    DeleteWorkflow,
    IncrementFailures,
    ResetFailures,
    UpdateWorkflow,
)
from domain.errors import WorkflowError, WorkflowExists, WorkflowNotFound
from domain.events import Deleted, WorkflowEvent
from domain.workflow import Workflow, decide, evolve, replay
from tests import strategies
from tests.support.given import ANYBODY, ID, NOW, OWNER, STRANGER

SAME = st.just(ID)
NAMES = st.sampled_from(["nightly", "hourly"])
PEOPLE = st.sampled_from([OWNER] * 7 + [STRANGER])
ANYONE = st.sampled_from([OWNER, ANYBODY] * 3 + [STRANGER])
FEW = st.integers(1, 3)
FITS_ALL = st.just('{"url": "http://h", "image": "i"}')
FEW_PAYLOADS = st.sampled_from(['{"url": "http://h"}', '{"image": "i"}', "{}", " {} "])
MOMENTS = st.just(NOW)


GUARDS = st.sampled_from([0, 0, 1, 2])
CREATIONS = strategies.creates(
    id=SAME,
    user_id=PEOPLE,
    now=MOMENTS,
    name=NAMES,
    payload=FITS_ALL,
    interval=FEW,
    max_consecutive_job_failures_allowed=FEW,
)


class Life(RuleBasedStateMachine):
    """One workflow, from before its creation to after its deletion."""

    def __init__(self) -> None:
        super().__init__()
        self.step = 0
        self.history: list[WorkflowEvent] = []
        self.live: Workflow | None = None
        self.terminating = True

    @initialize(terminating=st.booleans(), command=CREATIONS)
    def is_created_by_a_service_that_terminates_or_not(
        self, terminating: bool, command: CreateWorkflow
    ) -> None:
        self.terminating = terminating
        self.submit(command)

    @rule(command=CREATIONS)
    def create(self, command: Command) -> None:
        self.submit(command)

    @rule(
        command=strategies.updates(
            id=SAME,
            user_id=PEOPLE,
            now=MOMENTS,
            name=NAMES,
            payload=FEW_PAYLOADS,
            interval=FEW,
            max_consecutive_job_failures_allowed=FEW,
        )
    )
    def update(self, command: Command) -> None:
        self.submit_idempotent(command)

    @rule(
        command=strategies.build_status_updates(
            generation=GUARDS, id=SAME, user_id=ANYONE, now=MOMENTS
        )
    )
    def update_build_status(self, command: Command) -> None:
        self.submit_idempotent(command)

    @rule(data=st.data())
    def increment(self, data: st.DataObject) -> None:
        setting = st.just(self.terminating)
        self.submit(
            data.draw(
                strategies.increments(
                    id=SAME, user_id=ANYONE, now=MOMENTS, terminate_at_threshold=setting
                )
            )
        )

    @rule(command=strategies.resets(id=SAME, user_id=ANYONE, now=MOMENTS))
    def reset(self, command: Command) -> None:
        self.submit_idempotent(command)

    @precondition(lambda self: self.step > 8)  # There should be a life before its end.
    @rule(command=strategies.terminations(id=SAME, user_id=PEOPLE, now=MOMENTS))
    def terminate(self, command: Command) -> None:
        self.submit_idempotent(command)

    @precondition(lambda self: self.step > 16)
    @rule(command=strategies.deletions(id=SAME, user_id=PEOPLE, now=MOMENTS))
    def delete(self, command: Command) -> None:
        self.submit(command)

    def submit(self, command: Command) -> bool:
        """Decides a command on the live state; answers whether it was accepted."""
        self.step += 1
        before = self.live
        try:
            events = decide(before, command)
        except WorkflowError as refusal:
            self.check_refusal(command, refusal)
            return False
        for event in events:
            self.live = evolve(self.live, event)
        self.history += events
        self.check_step(before, command)
        return True

    def submit_idempotent(self, command: Command) -> None:
        """As submit(); asked once more, the command finds nothing left to do."""
        if self.submit(command):
            assert decide(self.live, command) == []

    def check_refusal(self, command: Command, refusal: WorkflowError) -> None:
        if self.live is None or self.live.deleted_at is not None:
            taken = isinstance(command, CreateWorkflow)
            assert type(refusal) is (WorkflowExists if taken else WorkflowNotFound)

    def check_step(self, before: Workflow | None, command: Command) -> None:
        assert self.live is not None
        if before is None:
            assert isinstance(command, CreateWorkflow)
            return
        assert before.deleted_at is None
        assert before.terminated_at is None or self.live.terminated_at == before.terminated_at
        assert self.live.generation - before.generation in (0, 1)
        assert (self.live.user_id, self.live.kind) == (before.user_id, before.kind)
        assert self.live.created_at == before.created_at
        assert command.user_id in (ANYBODY, before.user_id)
        if isinstance(command, IncrementFailures):
            assert self.live.failures == before.failures + 1
        if isinstance(command, UpdateWorkflow | ResetFailures):
            assert self.live.failures == 0
        if before.terminated_at is not None:
            assert self.live == before or isinstance(command, DeleteWorkflow)

    @invariant()
    def the_history_leads_to_the_live_state(self) -> None:
        assert replay(self.history) == self.live

    @invariant()
    def nothing_follows_a_deletion(self) -> None:
        assert not any(isinstance(event, Deleted) for event in self.history[:-1])

    @invariant()
    def failures_are_never_negative(self) -> None:
        assert self.live is None or self.live.failures >= 0

    @invariant()
    def an_active_workflow_is_below_its_threshold_where_that_terminates(self) -> None:
        if self.terminating and self.live and not self.live.terminated_at:
            assert not self.live.threshold_reached


Life.TestCase.settings = settings(
    settings.get_profile("workflows"), max_examples=60, stateful_step_count=30
)
TestLife = Life.TestCase
