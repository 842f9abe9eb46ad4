"""Other processes are faster, the store refuses or is lost: only the commands concerned fail."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from application import damage
from application.damage import Damaged, KnownDamage
from application.draft import Done
from application.handler import CommandHandler, Contended
from application.ports import (
    AppendRefused,
    EventStore,
    OutcomeUnknown,
    StoredDataDamaged,
    StoreUnavailable,
)
from domain.commands import Command
from domain.errors import (
    IdempotencyKeyReused,
    StaleGeneration,
)
from tests.application.conftest import THIRD_ID, handle
from tests.support.given import (
    ID,
    LATER,
    OTHER_HTTP,
    OTHER_ID,
    build_status,
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
    workflow,
)
from tests.support.memory import MemoryEventStore, Troubled
from tests.support.stores import DIGESTS


def test_a_command_that_others_overtook_is_decided_again_alone(
    handler: CommandHandler, watched: Troubled, memory: MemoryEventStore
) -> None:
    handle(handler, create(), create(id=OTHER_ID))
    watched.loads.clear()
    watched.appends.clear()
    watched.before_append = [lambda: elsewhere(memory, increment())]
    overtaken, other = handle(handler, increment(), increment(id=OTHER_ID))
    assert overtaken == Done(ID, version=3, position=5, threshold_reached=False)
    assert other == Done(OTHER_ID, version=2, position=4, threshold_reached=False)
    assert memory.history(ID) == [created(), failed(1, at=LATER), failed(2, at=LATER)]
    assert (watched.loads, watched.appends) == ([{ID, OTHER_ID}, {ID}], [[ID, OTHER_ID], [ID]])


def test_all_that_rests_on_an_overtaken_change_is_decided_again(
    handler: CommandHandler, watched: Troubled, memory: MemoryEventStore
) -> None:
    handle(handler, create())
    watched.before_append = [lambda: elsewhere(memory, update(interval=6))]
    outcomes = handle(handler, increment(), build_status("success", generation=1), delete())
    assert [type(outcome) for outcome in outcomes] == [Done, StaleGeneration, Done]
    assert memory.history(ID) == [
        created(),
        updated(interval=6, generation=2, at=LATER),
        failed(1, at=LATER),
        deleted(at=LATER),
    ]


def test_a_provisional_acceptance_can_become_a_refusal(
    handler: CommandHandler, watched: Troubled, memory: MemoryEventStore
) -> None:
    handle(handler, create())
    watched.before_append = [lambda: elsewhere(memory, update(interval=6))]
    guarded = build_status("success", generation=2)
    changed, status = handle(handler, update(payload=OTHER_HTTP, interval=6), guarded)
    assert isinstance(changed, Done)
    assert isinstance(status, StaleGeneration)
    assert (status.given, status.current) == (2, 3)


def test_a_provisional_refusal_can_become_an_acceptance(
    handler: CommandHandler, watched: Troubled, memory: MemoryEventStore
) -> None:
    handle(handler, create(max_consecutive_job_failures_allowed=2), increment())
    watched.before_append = [lambda: elsewhere(memory, reset_failures())]
    counted, renamed = handle(handler, increment(), build_status("success"))
    assert counted == Done(ID, version=4, position=4, threshold_reached=False)
    assert renamed == Done(ID, version=5, position=5, threshold_reached=False)
    assert workflow(*memory.history(ID)).terminated_at is None


def test_a_key_that_another_process_took_meanwhile_answers(
    handler: CommandHandler, watched: Troubled, memory: MemoryEventStore
) -> None:
    watched.before_append = [lambda: elsewhere(memory, create(id=OTHER_ID, idempotency_key="key"))]
    (outcome,) = handle(handler, create(idempotency_key="key"))
    assert outcome == Done(OTHER_ID, version=1, position=1, threshold_reached=False, replayed=True)
    assert memory.history(ID) == []


def test_a_key_that_another_request_took_meanwhile_is_refused(
    handler: CommandHandler, watched: Troubled, memory: MemoryEventStore
) -> None:
    taken = create(id=OTHER_ID, name="other", idempotency_key="key")
    watched.before_append = [lambda: elsewhere(memory, taken)]
    (outcome,) = handle(handler, create(idempotency_key="key"))
    assert isinstance(outcome, IdempotencyKeyReused)
    assert outcome.workflow_id == OTHER_ID


def test_a_command_that_is_overtaken_too_often_gives_up_having_done_nothing(
    watched: Troubled, memory: MemoryEventStore
) -> None:
    handle(CommandHandler(memory, DIGESTS), create(), create(id=OTHER_ID))
    watched.before_append = [lambda: elsewhere(memory, increment())] * 2
    outcomes = handle(
        CommandHandler(watched, DIGESTS, attempts=2), terminate(), terminate(id=OTHER_ID)
    )
    assert [type(outcome) for outcome in outcomes] == [Contended, Done]
    assert memory.history(ID) == [created(), failed(1, at=LATER), failed(2, at=LATER)]


def test_a_command_that_is_overtaken_for_too_long_gives_up(
    watched: Troubled, memory: MemoryEventStore
) -> None:
    handle(CommandHandler(memory, DIGESTS), create())
    watched.before_append = [lambda: elsewhere(memory, increment())] * 2
    (outcome,) = handle(CommandHandler(watched, DIGESTS, within=-1.0), terminate())
    assert isinstance(outcome, Contended)
    assert watched.appends == [[ID]]


def test_the_last_attempt_can_still_succeed(watched: Troubled, memory: MemoryEventStore) -> None:
    handle(CommandHandler(memory, DIGESTS), create())
    watched.before_append = [lambda: elsewhere(memory, increment())] * 2
    (outcome,) = handle(CommandHandler(watched, DIGESTS, attempts=3), terminate())
    assert isinstance(outcome, Done)


ANY_FAULT = pytest.mark.parametrize(
    "fault",
    [
        AppendRefused("test"),
        StoredDataDamaged("test"),
        UnicodeEncodeError("latin-1", "€", 0, 1, "test"),
        KeyError("unforeseen"),
    ],
    ids=lambda fault: type(fault).__name__,
)


@ANY_FAULT
@pytest.mark.parametrize("place", range(5))
def test_a_command_that_cannot_be_appended_fails_alone(
    watched: Troubled,
    memory: MemoryEventStore,
    place: int,
    fault: Exception,
) -> None:
    ids = [str(UUID(int=UUID(ID).int + number)) for number in range(5)]
    watched.poison = {ids[place]: fault}
    outcomes = handle(CommandHandler(watched, DIGESTS, attempts=1), *(create(id=i) for i in ids))
    assert outcomes.pop(place) is fault
    assert [type(outcome) for outcome in outcomes] == [Done] * 4
    assert [memory.history(i) for i in ids if i != ids[place]] == [[created()]] * 4
    assert memory.history(ids[place]) == []


@ANY_FAULT
def test_a_stream_that_cannot_be_loaded_fails_its_own_commands_alone(
    handler: CommandHandler, watched: Troubled, fault: Exception
) -> None:
    handle(handler, create(), create(id=OTHER_ID))
    watched.damaged = {ID: fault}
    done, refused, new, again = handle(
        handler, increment(id=OTHER_ID), increment(), create(id=THIRD_ID), delete()
    )
    assert (type(done), type(new)) == (Done, Done)
    assert refused is fault
    assert isinstance(again, type(fault))


def test_a_damaged_stream_is_looked_for_once_and_then_known(
    handler: CommandHandler, watched: Troubled
) -> None:
    handle(handler, create(), create(id=OTHER_ID))
    watched.damaged = {ID: StoredDataDamaged("test")}
    handle(handler, increment(), increment(id=OTHER_ID))
    watched.loads.clear()
    known, other = handle(handler, increment(), increment(id=OTHER_ID))
    assert isinstance(known, KnownDamage)
    assert ID in str(known)
    assert isinstance(other, Done)
    assert watched.loads == [{OTHER_ID}]


def test_a_damaged_stream_is_known_until_it_is_changed(watched: Troubled) -> None:
    marks = {ID: "as it was found"}
    handler = CommandHandler(watched, DIGESTS, damaged=Damaged(lambda _: marks, look_every=0.0))
    handle(handler, create())
    watched.damaged = {ID: StoredDataDamaged("test")}
    handle(handler, increment())
    watched.damaged = {}
    (known,) = handle(handler, increment())
    assert isinstance(known, KnownDamage)
    marks[ID] = "as it was mended"
    (counted,) = handle(handler, increment())
    assert isinstance(counted, Done)


def test_damage_that_is_found_again_later_is_reported_once(
    watched: Troubled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(damage, "READ_AGAIN_AFTER", 0.0)
    marks = {ID: "as it was found"}
    handler = CommandHandler(watched, DIGESTS, damaged=Damaged(lambda _: marks, look_every=0.0))
    handle(handler, create())
    watched.damaged = {ID: StoredDataDamaged("test")}
    (first,), (again,) = handle(handler, increment()), handle(handler, increment())
    assert (isinstance(first, KnownDamage), isinstance(again, KnownDamage)) == (False, True)
    marks[ID] = "as it was damaged once more"
    (other,) = handle(handler, increment())
    assert not isinstance(other, KnownDamage)
    assert watched.loads == [{ID}] * 3


def test_a_store_that_is_lost_while_damage_is_looked_at_is_lost_for_all(watched: Troubled) -> None:
    fault = StoreUnavailable("test")
    marks: Iterator[dict[str, str] | Exception] = iter([{ID: "as it was found"}, fault])

    def next_marks(_: object) -> dict[str, str]:
        found = next(marks)
        if isinstance(found, Exception):
            raise found
        return found

    handler = CommandHandler(watched, DIGESTS, damaged=Damaged(next_marks, look_every=0.0))
    handle(handler, create(), create(id=OTHER_ID))
    watched.damaged = {ID: StoredDataDamaged("test")}
    handle(handler, increment())
    assert handle(handler, increment(), increment(id=OTHER_ID)) == [fault] * 2


def test_what_is_no_damage_is_not_remembered(handler: CommandHandler, watched: Troubled) -> None:
    handle(handler, create())
    watched.before_load = [KeyError("test")]
    handle(handler, increment())
    (counted,) = handle(handler, increment())
    assert isinstance(counted, Done)


@pytest.mark.parametrize("broken", [{"payload": None}, {"name": "\ud800"}], ids=["decide", "key"])
def test_a_command_that_cannot_be_decided_fails_alone_and_leaves_no_trace(
    handler: CommandHandler, memory: MemoryEventStore, broken: dict[str, object]
) -> None:
    poison = update(name="hourly", idempotency_key="key")
    for name, value in broken.items():
        object.__setattr__(poison, name, value)  # As no checked command could be.
    done, refused, counted = handle(handler, create(), poison, increment())
    assert isinstance(refused, Exception)
    assert (done, counted) == (
        Done(ID, version=1, position=1, threshold_reached=False),
        Done(ID, version=2, position=2, threshold_reached=False),
    )
    assert memory.history(ID) == [created(), failed(1, at=LATER)]
    assert memory.ledger == {}


FAULTS = pytest.mark.parametrize("fault", [StoreUnavailable("test"), OutcomeUnknown("test")])


@FAULTS
def test_a_lost_store_is_lost_for_all_who_wait(
    handler: CommandHandler, watched: Troubled, memory: MemoryEventStore, fault: Exception
) -> None:
    watched.before_append = [fault]
    assert handle(handler, create(), increment(), create(id=OTHER_ID)) == [fault] * 3
    assert memory.feed == []


def test_a_store_that_cannot_load_is_lost_for_all_who_wait(
    handler: CommandHandler, watched: Troubled
) -> None:
    fault = StoreUnavailable("test")
    watched.before_load = [fault]
    assert handle(handler, create(), increment()) == [fault] * 2
    assert watched.appends == []


@FAULTS
def test_a_store_lost_later_does_not_take_back_what_was_answered(
    handler: CommandHandler, watched: Troubled, memory: MemoryEventStore, fault: Exception
) -> None:
    handle(handler, create(), create(id=OTHER_ID))
    watched.before_append = [lambda: elsewhere(memory, increment()), fault]
    overtaken, other = handle(handler, terminate(), terminate(id=OTHER_ID))
    assert overtaken is fault
    assert isinstance(other, Done)
    assert memory.history(OTHER_ID) == [created(), terminated(at=LATER)]


@FAULTS
def test_a_store_lost_between_halves_does_not_take_back_the_first_half(
    handler: CommandHandler, watched: Troubled, memory: MemoryEventStore, fault: Exception
) -> None:
    watched.before_append = [AppendRefused("test"), None, fault]
    first, second = handle(handler, create(), create(id=OTHER_ID))
    assert memory.history(ID) == [created()]
    assert first == Done(ID, version=1, position=1, threshold_reached=False)
    assert second is fault


@FAULTS
def test_a_store_that_came_back_serves_the_next_batch(
    handler: CommandHandler, watched: Troubled, fault: Exception
) -> None:
    watched.before_append = [fault]
    handle(handler, create())
    (outcome,) = handle(handler, create())
    assert isinstance(outcome, Done)


def elsewhere(store: EventStore, *commands: Command) -> None:
    """What another process does meanwhile."""
    outcomes = handle(CommandHandler(store, DIGESTS), *commands)
    assert all(isinstance(outcome, Done) for outcome in outcomes)
