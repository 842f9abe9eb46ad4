"""Several lanes for one kind of work; each serves different callers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic

from infrastructure.lanes.lane import Lane, O, S, Ticket


@dataclass(slots=True)
class _Place(Generic[S, O]):
    """The lane that a caller uses as long as one of its requests is unanswered."""

    lane: Lane[S, O]
    unanswered: int = 0


class ParallelLanes(Generic[S, O]):
    """Lanes side by side, each with a thread; what one caller submits is worked on one by one."""

    def __init__(self, lanes: Sequence[Lane[S, O]]) -> None:
        self._lanes = lanes
        self._places: dict[str, _Place[S, O]] = {}
        self._placing = Lock()

    def submit(
        self,
        submission: S,
        caller: str,
        size: int,
        deadline: float | None,
        answer: Callable[[O | Exception], None],
    ) -> Ticket[S, O]:
        """See Lane.submit. A caller without unanswered requests gets the lane with the fewest."""
        with self._placing:
            place = self._places.get(caller)
            if place is None:
                emptiest = min(self._lanes, key=lambda lane: lane.unanswered)
                place = self._places[caller] = _Place(emptiest)
            place.unanswered += 1

        def answered(outcome: O | Exception) -> None:
            with self._placing:
                place.unanswered -= 1
                if not place.unanswered:
                    del self._places[caller]
            answer(outcome)

        return place.lane.submit(submission, caller, size, deadline, answered)
