"""A state is the fold of the last event of each type: every event carries values, no differences.

History reads rely on it: they look up a few events instead of folding all that came before.
"""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from domain.errors import WorkflowError
from domain.events import WorkflowEvent
from domain.workflow import Workflow, decide, evolve, replay
from tests.support.given import (
    build_status,
    create,
    increment,
    reset_failures,
    terminate,
    update,
)

_COMMANDS = st.lists(
    st.one_of(
        st.builds(
            update,
            interval=st.integers(5, 7),
            max_consecutive_job_failures_allowed=st.integers(1, 3),
            name=st.sampled_from(["nightly", "hourly"]),
        ),
        st.builds(build_status, st.sampled_from(["pending", "building", "success"])),
        st.builds(increment, terminate_at_threshold=st.booleans()),
        st.just(reset_failures()),
        st.just(terminate()),
    ),
    max_size=40,
)


@given(_COMMANDS)
def test_the_last_event_of_each_type_leads_to_the_same_state(commands: Sequence[object]) -> None:
    history = _history(commands)
    for version in range(1, len(history) + 1):
        prefix = history[:version]
        last = {type(event): place for place, event in enumerate(prefix)}
        landmarks = [prefix[place] for place in sorted(last.values())]
        assert replay(landmarks) == replay(prefix)


def _history(commands: Sequence[object]) -> list[WorkflowEvent]:
    history: list[WorkflowEvent] = []
    state: Workflow | None = None
    for command in [create(), *commands]:
        try:
            events = decide(state, command)  # type: ignore[arg-type] # builds() loses the type
        except WorkflowError:
            continue
        for event in events:
            state = evolve(state, event)
            history.append(event)
    return history
