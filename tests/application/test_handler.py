"""The write road: each command of a batch is handled as if it had come alone."""

from dataclasses import replace
from itertools import count
from uuid import UUID

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from workflows_testing import strategies

from application.draft import Done, Outcome, Submission
from application.handler import CommandHandler
from application.ports import (
    Feed,
    NewEvent,
    Origin,
)
from domain.commands import Command, CreateWorkflow
from domain.errors import (
    StaleGeneration,
    WorkflowExists,
    WorkflowNotFound,
    WorkflowTerminated,
)
from tests.application.conftest import ORIGIN, THIRD_ID, handle
from tests.support.given import (
    HTTP,
    ID,
    LATER,
    NOW,
    OTHER_HTTP,
    OTHER_ID,
    OTHER_USER,
    OWNER,
    build_status,
    built,
    create,
    created,
    delete,
    deleted,
    failed,
    increment,
    reset_failures,
    terminate,
    terminated,
    update,
    updated,
)
from tests.support.memory import MemoryEventStore, Troubled
from tests.support.stores import DIGESTS


def test_outcomes_stand_in_the_order_of_the_batch(handler: CommandHandler) -> None:
    outcomes = handle(handler, create(id=OTHER_ID), increment(), create(), increment(id=OTHER_ID))
    missing = outcomes.pop(1)
    assert isinstance(missing, WorkflowNotFound)
    assert missing.workflow_id == ID
    assert outcomes == [
        Done(OTHER_ID, version=1, position=1, threshold_reached=False),
        Done(ID, version=1, position=3, threshold_reached=False),
        Done(OTHER_ID, version=2, position=2, threshold_reached=False),
    ]


def test_an_empty_batch_asks_the_store_nothing(handler: CommandHandler, watched: Troubled) -> None:
    assert handle(handler) == []
    assert (watched.loads, watched.appends) == ([], [])


def test_a_batch_costs_one_load_and_one_append(handler: CommandHandler, watched: Troubled) -> None:
    handle(handler, create(), create(id=OTHER_ID))
    handle(handler, increment(), increment(id=OTHER_ID), increment(), terminate(id=THIRD_ID))
    assert watched.loads == [{ID, OTHER_ID, THIRD_ID}]
    assert watched.appends == [[ID, OTHER_ID], [ID, OTHER_ID]]


def test_commands_on_one_workflow_build_on_one_another(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    outcomes = handle(handler, create(), increment(), update(name="hourly"), delete(), terminate())
    assert memory.history(ID) == [
        created(),
        failed(1, at=LATER),
        updated(name="hourly", at=LATER),
        deleted(at=LATER),
    ]
    assert [done.version for done in outcomes if isinstance(done, Done)] == [1, 2, 3, 4]
    assert isinstance(outcomes[4], WorkflowNotFound)


def test_a_refused_command_never_harms_its_neighbours(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    handle(handler, create(), create(id=OTHER_ID), terminate(id=OTHER_ID))
    outcomes = handle(
        handler,
        build_status("building"),
        build_status("success", generation=7),
        increment(id=OTHER_ID),
        increment(user_id=OTHER_USER),
        create(),
        create(id=THIRD_ID),
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [
        Done,
        StaleGeneration,
        WorkflowTerminated,
        WorkflowNotFound,
        WorkflowExists,
        Done,
    ]
    assert memory.history(ID) == [created(), built("building", at=LATER)]
    assert memory.history(OTHER_ID) == [created(), terminated(at=LATER)]
    assert memory.history(THIRD_ID) == [created()]


def test_the_threshold_is_answered_when_it_is_reached(handler: CommandHandler) -> None:
    outcomes = handle(
        handler, create(max_consecutive_job_failures_allowed=2), increment(), increment()
    )
    reached = [done.threshold_reached for done in outcomes if isinstance(done, Done)]
    assert reached == [False, False, True]


def test_events_keep_who_asked_and_under_which_key(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    other = Origin("scheduler", "req-2")
    handler.handle(
        [
            Submission(create(idempotency_key="key"), ORIGIN),
            Submission(increment(job_id="job"), other),
            Submission(terminate(), ORIGIN),
        ]
    )
    assert [(r.origin, r.idempotency_key) for _, r in memory.feed] == [
        (ORIGIN, "key"),
        (other, ""),
        (ORIGIN, ""),
    ]


def test_every_answer_says_what_its_position_counts_in(
    handler: CommandHandler, memory: MemoryEventStore
) -> None:
    memory.current_feed = Feed(epoch=7)
    handle(handler, create(idempotency_key="key"))
    recorded, repeated, unchanged = handle(
        handler, create(id=OTHER_ID), create(id=THIRD_ID, idempotency_key="key"), reset_failures()
    )
    answers = [a for a in (recorded, repeated, unchanged) if isinstance(a, Done)]
    assert [(a.feed, a.replayed) for a in answers] == [
        (Feed(epoch=7), False),
        (Feed(epoch=7), True),
        (Feed(epoch=7), False),
    ]


def test_a_keyless_repeat_writes_nothing(handler: CommandHandler, watched: Troubled) -> None:
    handle(handler, create(), create(id=OTHER_ID), increment(id=OTHER_ID))
    watched.appends.clear()
    outcomes = handle(handler, update(), reset_failures(), build_status("pending"))
    assert outcomes == [Done(ID, version=1, position=1, threshold_reached=False)] * 3
    assert watched.appends == []


def test_each_command_answers_with_the_position_of_its_own_version(
    handler: CommandHandler,
) -> None:
    handle(handler, create())
    outcomes = handle(handler, update(), increment(), build_status("pending"))
    assert [(done.version, done.position) for done in outcomes if isinstance(done, Done)] == [
        (1, 1),
        (2, 2),
        (2, 2),
    ]


def new_id(number: int) -> str:
    """The id of the n-th new workflow: no two are ever the same."""
    return str(UUID(int=UUID(OTHER_ID).int + 1 + number))


# Users, workflows and keys are few, so that they meet.
_USERS = st.sampled_from([OWNER] * 4 + [OTHER_USER])
_NEW = {"user_id": _USERS, "now": st.just(NOW), "name": st.sampled_from(["nightly", "hourly"])}
_EXISTING = {
    "id": st.sampled_from([ID, OTHER_ID, new_id(0), new_id(1)]),
    "user_id": _USERS,
    "now": st.just(LATER),
}
_KEYS = st.sampled_from(["", "a", "b"])
_FEW = st.integers(1, 3)
COMMANDS = st.one_of(
    strategies.creates(
        **_NEW,
        kind=st.just("http"),
        payload=st.just(HTTP),
        interval=_FEW,
        max_consecutive_job_failures_allowed=_FEW,
        idempotency_key=_KEYS,
    ),
    strategies.updates(
        **_EXISTING,
        name=st.sampled_from(["nightly", "hourly"]),
        payload=st.sampled_from([HTTP, OTHER_HTTP, "{}"]),
        interval=_FEW,
        max_consecutive_job_failures_allowed=_FEW,
        idempotency_key=_KEYS,
    ),
    strategies.build_status_updates(**_EXISTING, generation=st.integers(0, 2)),
    strategies.increments(**_EXISTING, job_id=_KEYS),
    strategies.resets(**_EXISTING),
    strategies.terminations(**_EXISTING),
    strategies.deletions(**_EXISTING),
)


@st.composite
def batches(draw: st.DrawFn) -> list[Command]:
    """Batches in which keys and workflows come again, each new workflow under an id of its own."""
    commands = draw(st.lists(COMMANDS, max_size=14))
    numbers = count()
    return [
        replace(c, id=new_id(next(numbers))) if isinstance(c, CreateWorkflow) else c
        for c in commands
    ]


@settings(max_examples=200)
@for_all(batches())
def test_a_batch_is_answered_as_its_commands_one_by_one_would_be(commands: list[Command]) -> None:
    together, apart = MemoryEventStore(), MemoryEventStore()
    for store in (together, apart):
        handle(CommandHandler(store, DIGESTS), create(), create(id=OTHER_ID))
    at_once = handle(CommandHandler(together, DIGESTS), *commands)
    one_by_one = [handle(CommandHandler(apart, DIGESTS), command)[0] for command in commands]
    assert list(map(seen_by_caller, at_once)) == list(map(seen_by_caller, one_by_one))
    assert by_workflow(together) == by_workflow(apart)
    assert set(together.ledger) == set(apart.ledger)


def seen_by_caller(outcome: Outcome) -> object:
    """What an outcome says to its caller, but for the position."""
    if isinstance(outcome, Done):
        return replace(outcome, position=0)
    return type(outcome), vars(outcome)


def by_workflow(store: MemoryEventStore) -> dict[str, list[NewEvent]]:
    """Every workflow's events with their origins and keys."""
    histories: dict[str, list[NewEvent]] = {}
    for workflow_id, recorded in store.feed:
        histories.setdefault(workflow_id, []).append(recorded)
    return histories
