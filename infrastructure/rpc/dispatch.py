"""From a method's row and a request's bytes into a lane, and from the lane's outcome to a reply."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from infrastructure.lanes.lane import Ticket
from infrastructure.rpc.guard import Answerer, Reply
from infrastructure.rpc.method import LaneName, MethodRow, Surroundings
from infrastructure.wire.calls import Metadata


class Queue(Protocol):
    """A lane, or several side by side."""

    def submit(
        self,
        submission: Any,
        caller: str,
        size: int,
        deadline: float | None,
        answer: Callable[[Any], None],
    ) -> Ticket[Any, Any]:
        """See Lane.submit."""
        ...


@dataclass(frozen=True, slots=True)
class Entrance:
    """How the work of methods enters a lane."""

    queue: Queue
    submission: Callable[[Any, Metadata, str], Any]
    """Makes what the lane takes of what `convert` made, the call's metadata and its method."""
    weight: int = 0
    """Bytes that a byte of the request counts for: how often it is stored."""


def answerers(
    rows: Iterable[MethodRow[Any, Any, Any]],
    entrances: Mapping[LaneName, Entrance],
    surroundings: Surroundings,
) -> Mapping[str, Answerer]:
    """What answers the calls of each method, by the method's name."""
    return {row.name: _answerer(row, entrances[row.lane], surroundings) for row in rows}


def _answerer(
    row: MethodRow[Any, Any, Any], entrance: Entrance, surroundings: Surroundings
) -> Answerer:
    parse, convert, render, name = row.parse, row.convert, row.render, row.name
    submit, submission, weight = entrance.queue.submit, entrance.submission, entrance.weight

    def answer(request: bytes, reply: Reply) -> None:
        asked = submission(convert(parse(request), surroundings), reply.metadata, name)
        size = weight * len(request)
        ticket = submit(
            asked, reply.caller, size, reply.deadline, lambda outcome: reply.settle(outcome, render)
        )
        reply.when_cancelled(ticket.withdraw)

    return answer
