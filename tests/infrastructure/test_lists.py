"""Lanes side by side: a slow caller holds up itself, and nobody else while a thread is free."""

from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from threading import Event

import pytest

from infrastructure.lanes.lane import Lane
from infrastructure.lanes.parallel import ParallelLanes
from infrastructure.wiring.lanes import LISTS

SOON = 30.0  # seconds: patience with a slow machine, not an expectation
LANES = 2


class Reading:
    """Threads that read lists; those called "slow" take until they are let go."""

    def __init__(self) -> None:
        self.let_go = Event()
        self.begun: SimpleQueue[str] = SimpleQueue()
        self._lanes = [Lane("lists", self._pages, LISTS) for _ in range(LANES)]
        self._parallel = ParallelLanes(self._lanes)

    def ask(self, name: str, caller: str) -> Event:
        """Asks for a list on behalf of a caller; the event is set when it is answered."""
        answered = Event()
        self._parallel.submit(name, caller, 0, None, lambda _: answered.set())
        return answered

    def end(self) -> None:
        """Lets everything go, and drains."""
        self.let_go.set()
        for lane in self._lanes:
            lane.drain()

    def _pages(self, batch: Sequence[str]) -> list[str | Exception]:
        for name in batch:
            self.begun.put(name)
            if "slow" in name:
                assert self.let_go.wait(SOON)
        return [*batch]


@pytest.fixture
def reading() -> Iterator[Reading]:
    """Lanes, which are drained in the end."""
    reading = Reading()
    yield reading
    reading.end()


def test_a_slow_list_does_not_hold_up_another_caller(reading: Reading) -> None:
    slow = reading.ask("slow", "one")
    assert reading.begun.get(timeout=SOON) == "slow"
    assert reading.ask("quick", "two").wait(SOON)
    assert not slow.is_set()


def test_one_list_of_a_caller_is_read_at_a_time(reading: Reading) -> None:
    asked = [reading.ask(f"slow {n}", "one") for n in range(2 * LANES)]
    assert reading.begun.get(timeout=SOON) == "slow 0"
    assert reading.ask("quick", "two").wait(SOON)
    assert reading.begun.get(timeout=SOON) == "quick"
    assert reading.begun.empty()
    reading.let_go.set()
    assert all(answered.wait(SOON) for answered in asked)


def test_a_caller_that_waits_for_nothing_uses_the_emptiest_lane(reading: Reading) -> None:
    assert reading.ask("quick", "one").wait(SOON)
    slow = reading.ask("slow", "two")
    assert reading.ask("quick", "one").wait(SOON)
    assert not slow.is_set()
