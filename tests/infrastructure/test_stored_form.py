"""The stored form: what was ever written stays readable, and what is not ours is damage.

The corpus holds one event of every stored name ever written, as its exact bytes. Its files are
never edited and never removed; a new stored name brings a new file.
"""

import json
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from workflows_testing import strategies

from application.ports import (
    FORGOTTEN,
    EventMetadata,
    NewEvent,
    Origin,
    RecordedEvent,
    StoredDataDamaged,
)
from domain import events
from domain.events import EVENT_TYPES, WorkflowEvent
from infrastructure.eventstore import stored_form
from infrastructure.eventstore.chain import verified
from infrastructure.eventstore.shapes import CONTENTS, SHAPES
from tests.support.given import ID, NOW, created, deleted, failed, reset

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))
ORIGINS = st.builds(Origin, *[strategies.keys()] * 5)
ORIGIN = Origin("gateway", "req-1", "trace-1", "alice@example.com", "UpdateWorkflow")
RECORDED_AT = datetime(2026, 11, 22, 11, 0, 0, 125000, tzinfo=UTC)
MOMENT = stored_form.moment_of(RECORDED_AT)
SALT = bytes(range(32))
EVERY_FILE = pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)


class Specimen:
    """A file of the corpus."""

    def __init__(self, file: Path) -> None:
        held = json.loads(file.read_text(encoding="utf-8"))
        self.name: str = held["name"]
        self.state: bytes = held["state"].encode()
        self.salt: bytes = bytes.fromhex(held["salt"])
        self.content: bytes = held["content"].encode()
        self.fact: type[WorkflowEvent] = getattr(events, held["fact"])
        self.fields: dict[str, Any] = held["event"]
        self.cause: dict[str, Any] = held["metadata"]
        self.previous = bytes.fromhex(json.loads(self.state)["previous"])

    @property
    def event(self) -> WorkflowEvent:
        """The fact of today that the stored bytes stand for."""
        at = datetime.fromisoformat(self.fields["at"])
        return self.fact(**(self.fields | {"at": at}))

    @property
    def new(self) -> NewEvent:
        """The event as it was before it was stored."""
        rest = {name: self.cause[name] for name in self.cause if name not in asdict(ORIGIN)}
        return NewEvent(self.event, ORIGIN, **rest)

    def recorded(self) -> RecordedEvent:
        """The event, read back."""
        return read(self.name, self.state, (self.salt, self.content))


def read(name: str, state: bytes, salted: tuple[bytes, bytes] | None) -> RecordedEvent:
    return stored_form.read(ID, 1, 1, name, state, salted)


def stored(new: NewEvent, salt: bytes = SALT, previous: bytes = b"") -> tuple[bytes, bytes]:
    """The state and content of an event."""
    content = stored_form.content_of(new)
    return stored_form.state_of(content, salt, previous, MOMENT), content


def specimens() -> list[Specimen]:
    return [Specimen(file) for file in CORPUS]


@EVERY_FILE
def test_what_was_ever_written_reads_as_what_it_is_today(file: Path) -> None:
    specimen = Specimen(file)
    recorded = specimen.recorded()
    assert (type(recorded.event), recorded.event) == (specimen.fact, specimen.event)
    assert isinstance(recorded.metadata, EventMetadata)
    cause = asdict(recorded.metadata)
    assert cause.pop("origin") | cause == specimen.cause
    assert (recorded.recorded_at, recorded.previous) == (RECORDED_AT, specimen.previous)
    assert recorded.digest == sha256(specimen.state).digest()


@EVERY_FILE
def test_what_was_forgotten_reads_as_forgotten_and_changes_no_digest(file: Path) -> None:
    specimen = Specimen(file)
    whole, forgotten = specimen.recorded(), read(specimen.name, specimen.state, None)
    assert forgotten == replace(whole, event=FORGOTTEN, metadata=FORGOTTEN)


@EVERY_FILE
def test_a_file_is_named_as_its_event(file: Path) -> None:
    assert file.stem == Specimen(file).name


def test_every_stored_name_has_its_file() -> None:
    assert {specimen.name for specimen in specimens()} == set(SHAPES) == set(CONTENTS)


def test_these_are_all_the_facts_and_their_names() -> None:
    assert {fact.__name__: fact.stored_name for fact in EVENT_TYPES} == {
        "Created": "created.v1",
        "Updated": "updated.v1",
        "BuildStatusChanged": "build_status_changed.v1",
        "FailureIncremented": "failure_incremented.v1",
        "Reset": "reset.v1",
        "Terminated": "terminated.v1",
        "Deleted": "deleted.v1",
    }


@pytest.mark.parametrize("fact", EVENT_TYPES, ids=lambda fact: fact.__name__)
def test_a_fact_of_today_is_written_as_exactly_these_bytes(fact: type[WorkflowEvent]) -> None:
    (specimen,) = (s for s in specimens() if s.name == fact.stored_name)
    assert stored(specimen.new, previous=specimen.previous) == (specimen.state, specimen.content)


@pytest.mark.parametrize("fact", EVENT_TYPES, ids=lambda fact: fact.__name__)
def test_a_fact_of_today_has_the_fields_that_are_stored(fact: type[WorkflowEvent]) -> None:
    held = set(SHAPES[fact.stored_name].__struct_fields__)
    assert {field.name for field in fields(fact)} == held


@for_all(strategies.workflow_events(), ORIGINS, strategies.keys(), st.binary())
def test_every_event_survives_its_stored_form(
    event: WorkflowEvent, origin: Origin, key: str, before: bytes
) -> None:
    salt = previous = sha256(before).digest()
    state, content = stored(NewEvent(event, origin, key), salt, previous)
    recorded = read(event.stored_name, state, (salt, content))
    assert (type(recorded.event), recorded.event) == (type(event), event)
    assert recorded.metadata == EventMetadata(origin, key, "", 0)
    assert (recorded.recorded_at, recorded.previous) == (RECORDED_AT, previous)


def test_moments_keep_their_microseconds() -> None:
    event = reset(at=NOW.replace(microsecond=1))
    state, content = stored(NewEvent(event, ORIGIN, ""))
    assert read("reset.v1", state, (SALT, content)).event == event


def test_what_remains_of_a_forgotten_event_holds_nothing_of_it_and_depends_on_its_salt() -> None:
    event = created(user_id="zacharias", name="unmistakable")
    state, content = stored(NewEvent(event, ORIGIN, "unmistakable key"))
    other, _ = stored(NewEvent(event, ORIGIN, "unmistakable key"), salt=bytes(32))
    assert b"zacharias" in content
    assert not [part for part in (b"zacharias", b"unmistakable", b"req-1") if part in state]
    assert stored_form.digest(state) != stored_form.digest(other)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "created",
        "created.v0",
        "created.v2",
        "Created.v1",
        "created.v1 ",
        "domain.events:Created",
        "infrastructure.eventstore.shapes:CreatedV1",
        "os:system",
    ],
)
@pytest.mark.parametrize("forgotten", [False, True], ids=["whole", "forgotten"])
def test_a_name_that_we_never_wrote_resolves_nothing(name: str, forgotten: bool) -> None:
    state, content = stored(NewEvent(created(), ORIGIN, ""))
    with pytest.raises(StoredDataDamaged):
        read(name, state, None if forgotten else (SALT, content))


WRONG: list[object] = [None, [], {}, 1.5, -1.5e300]
BROKEN = [b"", b"{", b"null", b"[]", b'"created.v1"', b"1", b"{}", b"\xff", b'{"event":{}}{}']


@pytest.mark.parametrize("state", BROKEN)
def test_a_state_that_is_none_is_damage_also_of_a_forgotten_event(state: bytes) -> None:
    with pytest.raises(StoredDataDamaged):
        read("reset.v1", state, None)


@pytest.mark.parametrize("content", BROKEN)
def test_a_content_that_is_none_is_damage_even_if_its_digest_is_right(content: bytes) -> None:
    refuses("reset.v1", content)


@pytest.mark.parametrize("part", ["salt", "content", "both"])
def test_a_content_or_salt_other_than_what_was_committed_to_is_damage(part: str) -> None:
    state, content = stored(NewEvent(reset(), ORIGIN, ""))
    salt = SALT if part == "content" else bytes(32)
    content = content if part == "salt" else content.replace(b"req-1", b"req-2")
    with pytest.raises(StoredDataDamaged):
        read("reset.v1", state, (salt, content))


@pytest.mark.parametrize("differing", ["previous", "recorded_at", "content"])
def test_a_missing_or_foreign_part_of_the_state_is_damage(differing: str) -> None:
    state, content = stored(NewEvent(reset(), ORIGIN, ""))
    held = json.loads(state)
    without = {name: held[name] for name in held if name != differing}
    for wrong in (without, held | {differing: 7}, held | {differing: "x"}, held | {"more": ""}):
        with pytest.raises(StoredDataDamaged):
            read("reset.v1", json.dumps(wrong).encode(), (SALT, content))


@EVERY_FILE
def test_a_missing_unknown_or_wrong_field_of_the_fact_is_damage(file: Path) -> None:
    held = json.loads(Specimen(file).content)
    fact = held["event"]
    refuses(file.stem, held | {"event": fact | {"unknown": ""}})
    refuses(file.stem, {name: held[name] for name in held if name != "event"})
    for field in fact:
        refuses(file.stem, held | {"event": {n: v for n, v in fact.items() if n != field}})
        for wrong in WRONG:
            refuses(file.stem, held | {"event": fact | {field: wrong}})


@EVERY_FILE
def test_a_missing_unknown_or_wrong_field_of_the_cause_is_damage(file: Path) -> None:
    held = json.loads(Specimen(file).content)
    refuses(file.stem, held | {"unknown": ""})
    for required in ("actor", "request_id"):
        refuses(file.stem, {name: held[name] for name in held if name != required})
    for field in held:
        refuses(file.stem, held | {field: None})


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("interval", "5"),
        ("interval", True),
        ("interval", 5.0),
        ("log_retention", 1),
        ("log_retention", "true"),
        ("name", 7),
        ("at", 1_795_345_200),
        ("at", "2026-11-22T11:00:00"),
        ("at", "yesterday"),
    ],
)
def test_a_value_is_never_bent_into_shape(field: str, wrong: object) -> None:
    (specimen,) = (s for s in specimens() if s.name == "created.v1")
    held = json.loads(specimen.content)
    refuses("created.v1", held | {"event": held["event"] | {field: wrong}})


def test_an_unknown_reason_is_damage() -> None:
    (specimen,) = (s for s in specimens() if s.name == "terminated.v1")
    held = json.loads(specimen.content)
    refuses("terminated.v1", held | {"event": held["event"] | {"reason": "boredom"}})


def chained(*history: WorkflowEvent) -> list[RecordedEvent]:
    """A workflow's events as they are read back."""
    previous, recorded = b"", []
    for version, event in enumerate(history, 1):
        state, content = stored(NewEvent(event, ORIGIN, ""), previous=previous)
        place = (ID, version, 10 * version, event.stored_name)
        recorded.append(stored_form.read(*place, state, (SALT, content)))
        previous = stored_form.digest(state)
    return recorded


def test_a_chain_verifies_also_if_content_was_forgotten() -> None:
    whole = chained(created(), failed(1), reset(), deleted())
    assert list(verified(whole)) == whole
    forgotten = [replace(whole[0], event=FORGOTTEN, metadata=FORGOTTEN), *whole[1:]]
    assert list(verified(forgotten)) == forgotten


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(lambda e: e[1:], id="first event removed"),
        pytest.param(lambda e: [e[0], *e[2:]], id="event removed"),
        pytest.param(lambda e: [e[0], e[2], e[1], e[3]], id="events swapped"),
        pytest.param(lambda e: [e[0], replace(e[1], digest=bytes(32)), *e[2:]], id="event altered"),
        pytest.param(
            lambda e: [e[0], replace(e[2], version=2), replace(e[3], version=3)],
            id="event removed and versions closed up",
        ),
        pytest.param(
            lambda e: [e[0], replace(e[1], position=40), *e[2:]], id="position out of order"
        ),
    ],
)
def test_a_chain_does_not_verify_once_it_was_tampered_with(tamper: Any) -> None:
    whole = chained(created(), failed(1), reset(), deleted())
    with pytest.raises(StoredDataDamaged, match="does not follow"):
        list(verified(tamper(whole)))


def refuses(name: str, content: object) -> None:
    """A content is refused although the state commits to it."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    state = stored_form.state_of(raw, SALT, b"", MOMENT)
    with pytest.raises(StoredDataDamaged):
        read(name, state, (SALT, raw))
