"""Answers that nobody reads are bounded, and a flood's memory is given back."""

from dataclasses import dataclass

import psutil
import pytest

from infrastructure.wire.calls import UnreadAnswers
from infrastructure.wire.limits import Limits
from infrastructure.wire.memory import GROWTH, PAUSE, THOROUGH, Memory, resident_bytes
from infrastructure.wire.traffic import Stage, Traffic, Unread


@dataclass(eq=False)
class Waiting:
    """A call that waits for its message."""

    stage: Stage = Stage.MESSAGE
    since: float = 0.0
    unread: Unread | None = None
    peer: str = "ipv4:127.0.0.1:1"
    method: object = None
    cancelled: bool = False

    def cancel(self) -> None:
        """See UnderWay."""
        self.cancelled = True


def waiting(traffic: Traffic[Waiting], peer: int, size: int) -> Waiting:
    """A call of a connection whose answer of so many bytes waits to be read."""
    call = Waiting(peer=f"ipv4:127.0.0.1:{peer}")
    traffic.enter(call, ())
    traffic.answer(call, size)
    return call


def test_unread_answers_are_bounded_on_each_connection_and_on_all() -> None:
    traffic: Traffic[Waiting] = Traffic(Limits(unread_bytes=10, unread_bytes_of_all=25))
    first = waiting(traffic, 1, 10)
    with pytest.raises(UnreadAnswers, match="10 bytes wait to be read on this connection"):
        waiting(traffic, 1, 1)
    waiting(traffic, 2, 10)
    waiting(traffic, 3, 5)
    with pytest.raises(UnreadAnswers, match="25 bytes wait to be read on all connections"):
        waiting(traffic, 3, 1)
    waiting(traffic, 4, 100)  # Each connection may have one.
    for call in tuple(traffic.calls):
        traffic.leave(call)
    assert waiting(traffic, 1, 10) is not first


class Process:
    """What a process holds, and how often free memory was given back."""

    def __init__(self) -> None:
        self.held = 100 * GROWTH
        self.free = 0
        self.is_old = False  # what is free: only a thorough look finds it
        self.given_back = 0
        self.memory = Memory(lambda: self.held, self._give_back)

    def look(self, *, grown: int = 0, free: int = 0, calm: bool = True) -> int:
        """Grows, so much of it free again, then looks; how often memory was given back so far."""
        self.held += grown
        self.free += free
        self.memory.look(calm=calm)
        return self.given_back

    def _give_back(self, thorough: bool) -> None:
        self.given_back += 1
        freed = self.free if thorough or not self.is_old else 0
        self.held -= freed
        self.free -= freed


def test_memory_that_has_grown_is_given_back_when_it_is_calm() -> None:
    process = Process()
    assert [process.look() for _ in range(PAUSE)] == [0] * PAUSE
    assert process.look(grown=GROWTH) == 0
    assert process.look(grown=2 * GROWTH, free=3 * GROWTH, calm=False) == 0
    assert process.look() == 1
    assert process.held == 100 * GROWTH
    assert [process.look() for _ in range(PAUSE)] == [1] * PAUSE


def test_memory_that_is_held_is_given_back_now_and_then_until_it_is_free() -> None:
    process = Process()
    assert [process.look(grown=GROWTH) for _ in range(PAUSE)] == [0] * (PAUSE - 1) + [1]
    assert [process.look() for _ in range(PAUSE - 1)] == [1] * (PAUSE - 1)
    assert process.look(free=5 * GROWTH) == 2
    assert process.held == 100 * GROWTH


def test_memory_of_old_objects_is_looked_for_if_much_stays() -> None:
    process = Process()
    process.is_old = True
    process.look(grown=2 * GROWTH, free=2 * GROWTH)
    assert process.look() == 0
    while process.look() < THOROUGH:
        assert process.held == 102 * GROWTH
    assert process.held == 100 * GROWTH


def test_the_memory_of_this_process_is_known() -> None:
    assert abs(resident_bytes() - psutil.Process().memory_info().rss) < GROWTH
