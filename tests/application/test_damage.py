"""How long damaged workflows are remembered, by a clock that the test moves."""

from collections.abc import Collection, Mapping

import pytest

from application import damage
from application.damage import Damaged, KnownDamage
from application.ports import StoredDataDamaged, StoreUnavailable

FAULT = StoredDataDamaged("test")
MOST = 1024


class Clock:
    """A clock, and the marks of workflows; it counts how often they are asked for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.marks: Mapping[str, str] = {}
        self.asked: list[Collection[str]] = []

    def monotonic(self) -> float:
        """See time.monotonic."""
        return self.now

    def marks_of(self, ids: Collection[str]) -> Mapping[str, str]:
        """See damage.Marks."""
        self.asked.append(ids)
        return self.marks


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of this test."""
    clock = Clock()
    monkeypatch.setattr(damage, "monotonic", clock.monotonic)
    return clock


@pytest.fixture
def damaged(clock: Clock) -> Damaged:
    """Remembers that the workflow a is damaged, since a moment ago."""
    damaged = Damaged(clock.marks_of)
    assert damaged.found("a", FAULT) is FAULT
    clock.asked.clear()
    return damaged


def test_a_damaged_workflow_is_looked_at_once_a_second(clock: Clock, damaged: Damaged) -> None:
    looks = []
    for passed in (0.0, 0.99, 1.0, 1.99, 2.0):
        clock.now = 100.0 + passed
        assert damaged.among(["a", "b"]) == {"a"}
        looks.append(len(clock.asked))
    assert looks == [0, 0, 1, 1, 2]
    assert clock.asked == [["a"], ["a"]]


def test_a_damaged_workflow_is_read_again_after_a_minute(clock: Clock, damaged: Damaged) -> None:
    clock.now = 159.9
    assert damaged.among(["a"]) == {"a"}
    clock.now = 160.9  # The next look; the minute has passed meanwhile.
    assert damaged.among(["a"]) == set()
    assert not damaged


def test_a_minute_is_over_at_its_last_moment(clock: Clock, damaged: Damaged) -> None:
    clock.now = 160.0
    assert damaged.among(["a"]) == set()


def test_a_workflow_that_was_changed_is_read_again(clock: Clock, damaged: Damaged) -> None:
    clock.marks = {"a": "mended"}
    clock.now = 101.0
    assert damaged.among(["a"]) == set()


def test_damage_is_reported_as_it_is_if_nothing_else_can_be_known() -> None:
    def lost(_: Collection[str]) -> Mapping[str, str]:
        raise StoreUnavailable

    damaged = Damaged(lost)
    other = ValueError("no damage")
    assert (damaged.found("a", FAULT), damaged.found("a", other)) == (FAULT, other)
    assert not damaged


def test_the_newest_are_remembered(clock: Clock) -> None:
    damaged = Damaged(clock.marks_of)
    ids = [str(number) for number in range(MOST)]
    for workflow_id in ids:
        damaged.found(workflow_id, FAULT)
    again = damaged.found("1", FAULT)
    assert isinstance(again, KnownDamage)
    assert damaged.among(ids) == set(ids)
    damaged.found("one more", FAULT)
    assert damaged.among([*ids, "one more"]) == {*ids[1:], "one more"}
