"""When a flood of calls is over, so that its memory is given back."""

from dataclasses import dataclass

from infrastructure.wire.limits import Limits
from infrastructure.wire.traffic import FLOOD, ORDINARY, Stage, Traffic, Unread


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


def begun(traffic: Traffic[Waiting], count: int) -> list[Waiting]:
    """New calls that are under way at once."""
    calls = [Waiting() for _ in range(count)]
    for call in calls:
        traffic.enter(call, ())
    return calls


def come_and_gone(count: int) -> Traffic[Waiting]:
    """Traffic whose calls all came and ended since it was last asked."""
    traffic: Traffic[Waiting] = Traffic(Limits())
    for call in begun(traffic, count):
        traffic.leave(call)
    return traffic


def test_a_flood_between_two_questions_has_subsided_once_when_none_followed() -> None:
    traffic = come_and_gone(FLOOD)
    assert [traffic.has_subsided() for _ in range(4)] == [False, True, False, False]


def test_fewer_calls_are_no_flood() -> None:
    traffic = come_and_gone(FLOOD - 1)
    assert not any(traffic.has_subsided() for _ in range(3))


def test_a_flood_has_not_subsided_while_more_calls_than_ordinary_are_left() -> None:
    traffic = come_and_gone(FLOOD)
    left = begun(traffic, ORDINARY + 1)
    assert not any(traffic.has_subsided() for _ in range(3))
    traffic.leave(left[0])
    assert traffic.has_subsided()


def test_a_flood_that_returns_is_waited_for() -> None:
    traffic = come_and_gone(FLOOD)
    assert not traffic.has_subsided()
    again = begun(traffic, FLOOD)
    assert not traffic.has_subsided()
    for call in again:
        traffic.leave(call)
    assert [traffic.has_subsided() for _ in range(3)] == [False, True, False]
