"""What every event store promises: the one of the service, and its double in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from application.ports import (
    FORGOTTEN,
    Change,
    EventStore,
    LedgerEntry,
    LedgerKey,
    Loaded,
    NewEvent,
    Origin,
)
from domain.errors import WorkflowNotFound
from domain.events import WorkflowEvent
from domain.workflow import replay
from tests.support.given import (
    ID,
    LATER,
    OTHER_ID,
    built,
    created,
    deleted,
    failed,
    reset,
    terminated,
    updated,
)
from tests.support.memory import MemoryEventStore
from tests.support.stores import open_store

ORIGIN = Origin("gateway", "req", "trace")
THIRD_ID = "0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e71"
KEY = LedgerKey(bytes(range(32)))
OTHER_KEY = LedgerKey(bytes(range(1, 33)))
KEYS_OF_VERSIONS = tuple(LedgerKey(bytes([version] * 32)) for version in range(1, 5))


@dataclass(frozen=True)
class Subject:
    """A store, and a view of what is in it that does not go through load()."""

    store: EventStore
    history: Callable[[str], list[WorkflowEvent]]
    positions: Callable[[str], list[int]]
    forget: Callable[[str, int], None]

    def load(self, *ids: str, keys: tuple[LedgerKey, ...] = ()) -> Loaded:
        return self.store.load(ids, keys)

    def append(self, *changes: Change) -> dict[str, int]:
        return dict(self.store.append(changes))

    def change(
        self,
        workflow_id: str,
        *events: WorkflowEvent,
        ledger: dict[LedgerKey, LedgerEntry] | None = None,
    ) -> Change:
        """A change of a workflow as it stands now."""
        base = self.load(workflow_id).streams.get(workflow_id)
        workflow = replay(events, base.state(workflow_id) if base else None)
        assert workflow is not None
        recorded = [NewEvent(event, ORIGIN, "") for event in events]
        return Change(workflow_id, base, workflow, recorded, dict(ledger or {}))


@pytest.fixture(params=["memory", "postgres"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "memory":
        memory = MemoryEventStore()
        yield Subject(memory, memory.history, memory.positions, memory.forget)
        return
    with open_store(request.getfixturevalue("database")) as opened:
        yield Subject(opened.store, opened.history, opened.positions, opened.forget)


def entry(workflow_id: str = ID, version: int = 1, *, reached: bool = False) -> LedgerEntry:
    return LedgerEntry(workflow_id, bytes(range(32)), version, reached)


def test_what_was_never_appended_is_not_loaded(subject: Subject) -> None:
    assert subject.load(ID, keys=(KEY,)) == Loaded({}, {})


def test_asking_for_nothing_loads_nothing(subject: Subject) -> None:
    subject.append(subject.change(ID, created()))
    assert subject.load() == Loaded({}, {})


def test_what_was_appended_is_loaded(subject: Subject) -> None:
    positions = subject.append(subject.change(ID, created()))
    stream = subject.load(ID).streams[ID]
    assert (stream.workflow, stream.version) == (replay([created()]), 1)
    assert positions == {ID: stream.position} == {ID: 1}


def test_only_what_is_asked_for_is_loaded(subject: Subject) -> None:
    subject.append(
        subject.change(ID, created(), ledger={KEY: entry()}),
        subject.change(OTHER_ID, created(), ledger={OTHER_KEY: entry(OTHER_ID)}),
    )
    loaded = subject.load(OTHER_ID, keys=(KEY,))
    assert (set(loaded.streams), set(loaded.ledger)) == ({OTHER_ID}, {KEY})


def test_positions_are_gapless_and_in_the_order_of_the_changes(subject: Subject) -> None:
    subject.append(subject.change(THIRD_ID, created()))
    answered = subject.append(
        subject.change(OTHER_ID, created(), failed(1)),
        subject.change(THIRD_ID, failed(1)),
        subject.change(ID, created(), failed(1), terminated()),
    )
    assert subject.positions(THIRD_ID) == [1, 4]
    assert subject.positions(OTHER_ID) == [2, 3]
    assert subject.positions(ID) == [5, 6, 7]
    assert answered == {OTHER_ID: 3, THIRD_ID: 4, ID: 7}


def test_appends_follow_one_another_in_the_feed(subject: Subject) -> None:
    ends = [subject.append(subject.change(i, created())) for i in (ID, OTHER_ID)]
    ends.append(subject.append(subject.change(ID, failed(1), reset())))
    assert ends == [{ID: 1}, {OTHER_ID: 2}, {ID: 4}]


def test_the_loaded_position_is_that_of_the_last_event(subject: Subject) -> None:
    subject.append(subject.change(ID, created(), failed(1)), subject.change(OTHER_ID, created()))
    streams = subject.load(ID, OTHER_ID).streams
    assert (streams[ID].position, streams[OTHER_ID].position) == (2, 3)


def test_a_stale_change_is_left_out_and_its_neighbours_recorded(subject: Subject) -> None:
    subject.append(subject.change(ID, created()))
    stale = subject.change(ID, failed(1))
    subject.append(subject.change(ID, built("building")))
    positions = subject.append(
        subject.change(OTHER_ID, created()), stale, subject.change(THIRD_ID, created())
    )
    assert positions == {OTHER_ID: 3, THIRD_ID: 4}
    assert subject.history(ID) == [created(), built("building")]


def test_a_new_workflow_under_a_taken_id_is_left_out(subject: Subject) -> None:
    twin = subject.change(ID, created(name="twin"), ledger={KEY: entry()})
    subject.append(subject.change(ID, created()))
    assert subject.append(twin) == {}
    assert subject.history(ID) == [created()]
    assert subject.load(ID, keys=(KEY,)).ledger == {}


def test_a_change_on_what_does_not_exist_is_left_out(subject: Subject) -> None:
    subject.append(subject.change(ID, created()))
    change = subject.change(ID, failed(1))
    change.workflow_id = OTHER_ID
    assert subject.append(change) == {}
    assert subject.load(OTHER_ID) == Loaded({}, {})


def test_a_change_left_out_can_be_decided_again(subject: Subject) -> None:
    subject.append(subject.change(ID, created()))
    stale = subject.change(ID, failed(1))
    subject.append(subject.change(ID, failed(1)))
    assert subject.append(stale) == {}
    assert subject.append(subject.change(ID, failed(2))) == {ID: 3}


def test_a_recorded_key_has_the_position_of_its_own_version(subject: Subject) -> None:
    """A change holds a whole batch's commands: a key may stand for any version of it."""
    subject.append(subject.change(OTHER_ID, created()), subject.change(ID, created()))
    ledger = {
        key: entry(version=version, reached=version == 3)
        for version, key in enumerate(KEYS_OF_VERSIONS, 1)
    }
    subject.append(
        subject.change(OTHER_ID, failed(1)),
        subject.change(ID, failed(1), failed(2), terminated(), ledger=ledger),
    )
    assert subject.positions(ID) == [2, 4, 5, 6]
    assert subject.load(keys=KEYS_OF_VERSIONS).ledger == {
        key: replace(ledger[key], position=position)
        for key, position in zip(KEYS_OF_VERSIONS, [2, 4, 5, 6], strict=True)
    }


def test_a_taken_key_leaves_its_whole_change_out_but_no_other(subject: Subject) -> None:
    subject.append(subject.change(ID, created(), ledger={KEY: entry()}))
    positions = subject.append(
        subject.change(
            OTHER_ID, created(), ledger={OTHER_KEY: entry(OTHER_ID), KEY: entry(OTHER_ID)}
        ),
        subject.change(THIRD_ID, created()),
    )
    assert positions == {THIRD_ID: 2}
    loaded = subject.load(OTHER_ID, keys=(KEY, OTHER_KEY))
    assert loaded == Loaded({}, {KEY: replace(entry(), position=1)})
    assert subject.history(OTHER_ID) == []


def test_a_change_may_consist_of_a_ledger_entry_alone(subject: Subject) -> None:
    subject.append(subject.change(ID, created()), subject.change(OTHER_ID, created()))
    before = subject.load(ID)
    assert subject.append(subject.change(ID, ledger={KEY: entry()})) == {ID: 1}
    loaded = subject.load(ID, keys=(KEY,))
    assert loaded == Loaded(before.streams, {KEY: replace(entry(), position=1)})
    assert subject.history(ID) == [created()]


def test_a_ledger_entry_on_a_stale_base_is_left_out(subject: Subject) -> None:
    subject.append(subject.change(ID, created()))
    stale = subject.change(ID, ledger={KEY: entry()})
    subject.append(subject.change(ID, failed(1)))
    assert subject.append(stale) == {}
    assert subject.load(keys=(KEY,)).ledger == {}


def test_a_ledger_entry_alone_takes_no_position(subject: Subject) -> None:
    subject.append(subject.change(ID, created()))
    positions = subject.append(
        subject.change(ID, ledger={KEY: entry()}), subject.change(OTHER_ID, created())
    )
    assert positions == {ID: 1, OTHER_ID: 2}


def test_a_deleted_stream_stays_loadable(subject: Subject) -> None:
    subject.append(subject.change(ID, created(), ledger={KEY: entry()}))
    subject.append(subject.change(ID, deleted(at=LATER)))
    stream = subject.load(ID).streams[ID]
    assert (stream.state(ID).deleted_at, stream.version) == (LATER, 2)
    assert set(subject.load(keys=(KEY,)).ledger) == {KEY}


def test_the_loaded_state_is_the_replay_of_the_history(subject: Subject) -> None:
    life: list[WorkflowEvent] = [
        created(name="Nächtlich 🚀 '%_\\", payload=' {"url": "http://h", "x":"\\u0000\\n"}\n'),
        built("success"),
        failed(1, "job"),
        updated(name="hourly", interval=525_600, generation=2),
        failed(1),
        reset(),
        failed(1),
        terminated("failure_threshold", "job", at=LATER),
        deleted(at=LATER),
    ]
    for seen, event in enumerate(life, 1):
        subject.append(subject.change(ID, event))
        stream = subject.load(ID).streams[ID]
        assert (stream.workflow, stream.version) == (replay(life[:seen]), seen)
    assert subject.history(ID) == life


@pytest.mark.parametrize(
    "differing",
    [{"name": "HOURLY"}, {"payload": '{"url": "http://x"}'}, {"interval": 7}, {"max_failures": 9}],
    ids=lambda differing: next(iter(differing)),
)
def test_what_an_update_leaves_alone_stays(subject: Subject, differing: dict[str, Any]) -> None:
    subject.append(subject.change(ID, created()))
    subject.append(subject.change(ID, updated(**differing)))
    subject.append(subject.change(ID, failed(1)))
    life: list[WorkflowEvent] = [created(), updated(**differing), failed(1)]
    assert subject.load(ID).streams[ID].workflow == replay(life)


def test_every_event_changes_the_digest(subject: Subject) -> None:
    digests = set()
    life: list[WorkflowEvent] = [created(), reset(), reset(), deleted()]
    for event in life:
        subject.append(subject.change(ID, event))
        digests.add(subject.load(ID).streams[ID].digest)
    assert {len(digest) for digest in digests} == {32}
    assert len(digests) == 4


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_forgotten_of_a_workflow_takes_its_state_and_nothing_else(
    subject: Subject, version: int
) -> None:
    subject.append(subject.change(ID, created(), failed(1)), subject.change(OTHER_ID, created()))
    before = subject.load(ID, OTHER_ID).streams
    subject.forget(ID, version)
    after = subject.load(ID, OTHER_ID).streams
    assert after[OTHER_ID] == before[OTHER_ID]
    assert after[ID].workflow is FORGOTTEN
    places = [(s.version, s.position, s.digest) for s in (before[ID], after[ID])]
    assert places[0] == places[1]
    with pytest.raises(WorkflowNotFound):
        after[ID].state(ID)
