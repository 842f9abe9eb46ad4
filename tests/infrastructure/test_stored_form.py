"""The stored form: what was ever written stays readable, and what is not ours is damage.

The corpus holds one event of every stored name ever written, as its exact bytes. Its files are
never edited and never removed; a new stored name brings a new file.
"""

import json
from dataclasses import fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from workflows_testing import strategies

from application.ports import NewEvent, Origin, StoredDataDamaged
from domain import events
from domain.events import EVENT_TYPES, WorkflowEvent
from infrastructure.eventstore import stored_form
from infrastructure.eventstore.shapes import SHAPES
from tests.support.given import NOW, created, reset

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))
ORIGINS = st.builds(Origin, *[strategies.keys()] * 3)
ORIGIN = Origin("gateway", "req-1", "trace-1")
KEY = "key-1"
RECORDED_AT = datetime(2026, 11, 22, 11, 0, 0, 125000, tzinfo=UTC)
EVERY_FILE = pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)


class Specimen:
    """A file of the corpus."""

    def __init__(self, file: Path) -> None:
        content = json.loads(file.read_text(encoding="utf-8"))
        self.name: str = content["name"]
        self.state: bytes = content["state"].encode()
        self.fact: type[WorkflowEvent] = getattr(events, content["fact"])
        self.fields: dict[str, Any] = content["event"]
        self.previous = bytes.fromhex(json.loads(self.state)["previous"])

    @property
    def event(self) -> WorkflowEvent:
        """The fact of today that the stored bytes stand for."""
        at = datetime.fromisoformat(self.fields["at"])
        return self.fact(**(self.fields | {"at": at}))


def specimens() -> list[Specimen]:
    return [Specimen(file) for file in CORPUS]


@EVERY_FILE
def test_what_was_ever_written_reads_as_the_fact_that_it_is_today(file: Path) -> None:
    specimen = Specimen(file)
    event = stored_form.read(specimen.name, specimen.state).event
    assert (type(event), event) == (specimen.fact, specimen.event)


@EVERY_FILE
def test_what_was_ever_written_names_who_caused_it_and_when(file: Path) -> None:
    metadata = stored_form.read(Specimen(file).name, Specimen(file).state).metadata
    assert (metadata.origin, metadata.idempotency_key) == (ORIGIN, KEY)
    assert metadata.recorded_at == RECORDED_AT


@EVERY_FILE
def test_an_event_vouches_for_its_predecessor_and_is_known_by_its_bytes(file: Path) -> None:
    specimen = Specimen(file)
    stored = stored_form.read(specimen.name, specimen.state)
    assert stored.previous == specimen.previous
    assert stored.digest == sha256(specimen.state).digest()


@EVERY_FILE
def test_a_file_is_named_as_its_event(file: Path) -> None:
    assert file.stem == Specimen(file).name


def test_every_stored_name_has_its_file() -> None:
    assert {specimen.name for specimen in specimens()} == set(SHAPES)


def test_every_fact_of_today_is_written_under_a_name_of_its_own_that_can_be_read() -> None:
    names = [fact.stored_name for fact in EVENT_TYPES]
    assert len(set(names)) == len(EVENT_TYPES)
    assert set(names) <= set(SHAPES)


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
    recorded = NewEvent(specimen.event, ORIGIN, KEY)
    assert stored_form.write(recorded, specimen.previous, RECORDED_AT) == specimen.state


@pytest.mark.parametrize("fact", EVENT_TYPES, ids=lambda fact: fact.__name__)
def test_a_fact_of_today_has_the_fields_that_are_stored(fact: type[WorkflowEvent]) -> None:
    stored = set(SHAPES[fact.stored_name].model_fields)
    assert {field.name for field in fields(fact)} == stored


@for_all(strategies.workflow_events(), ORIGINS, strategies.keys(), st.binary())
def test_every_event_survives_its_stored_form(
    event: WorkflowEvent, origin: Origin, key: str, before: bytes
) -> None:
    previous = sha256(before).digest()
    state = stored_form.write(NewEvent(event, origin, key), previous, NOW)
    stored = stored_form.read(event.stored_name, state)
    assert (type(stored.event), stored.event) == (type(event), event)
    assert (stored.metadata.origin, stored.metadata.idempotency_key) == (origin, key)
    assert (stored.metadata.recorded_at, stored.previous) == (NOW, previous)


def test_moments_keep_their_microseconds() -> None:
    event = reset(at=NOW.replace(microsecond=1))
    state = stored_form.write(NewEvent(event, ORIGIN, ""), b"", NOW)
    assert stored_form.read("reset.v1", state).event == event


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
        "domain.events.Created",
        "infrastructure.eventstore.shapes:CreatedV1",
        "os:system",
        "builtins.eval",
    ],
)
def test_a_name_that_we_never_wrote_resolves_nothing(name: str) -> None:
    state = stored_form.write(NewEvent(created(), ORIGIN, KEY), b"", NOW)
    with pytest.raises(StoredDataDamaged):
        stored_form.read(name, state)


@pytest.mark.parametrize(
    "state",
    [b"", b"{", b"null", b"[]", b'"created.v1"', b"1", b"{}", b"\xff", b'{"event":{}}{}', b"\x00"],
)
def test_bytes_that_are_no_stored_event_are_damage(state: bytes) -> None:
    with pytest.raises(StoredDataDamaged):
        stored_form.read("reset.v1", state)


@EVERY_FILE
@pytest.mark.parametrize("part", ["event", "metadata"])
def test_a_missing_field_is_damage(file: Path, part: str) -> None:
    for field in json.loads(Specimen(file).state)[part]:
        envelope = json.loads(Specimen(file).state)
        del envelope[part][field]
        refuses(file, envelope)


@EVERY_FILE
@pytest.mark.parametrize("part", ["event", "metadata"])
def test_an_unknown_field_is_damage(file: Path, part: str) -> None:
    envelope = json.loads(Specimen(file).state)
    envelope[part]["unknown"] = ""
    refuses(file, envelope)


@EVERY_FILE
@pytest.mark.parametrize("part", ["event", "metadata"])
@pytest.mark.parametrize("wrong", [None, [], {}, 1.5, -1.5e300], ids=str)
def test_a_field_of_a_wrong_type_is_damage(file: Path, part: str, wrong: object) -> None:
    for field in json.loads(Specimen(file).state)[part]:
        envelope = json.loads(Specimen(file).state)
        envelope[part][field] = wrong
        refuses(file, envelope)


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
    file = next(file for file in CORPUS if file.stem == "created.v1")
    envelope = json.loads(Specimen(file).state)
    envelope["event"][field] = wrong
    refuses(file, envelope)


@EVERY_FILE
@pytest.mark.parametrize("part", ["event", "metadata", "previous"])
def test_a_missing_or_foreign_part_is_damage(file: Path, part: str) -> None:
    envelope = json.loads(Specimen(file).state)
    refuses(file, {key: value for key, value in envelope.items() if key != part})
    refuses(file, envelope | {part: 7})
    refuses(file, envelope | {"signature": ""})


def test_an_unknown_reason_is_damage() -> None:
    file = next(file for file in CORPUS if file.stem == "terminated.v1")
    envelope = json.loads(Specimen(file).state)
    envelope["event"]["reason"] = "boredom"
    refuses(file, envelope)


def refuses(file: Path, envelope: object) -> None:
    with pytest.raises(StoredDataDamaged):
        stored_form.read(file.stem, json.dumps(envelope).encode())
