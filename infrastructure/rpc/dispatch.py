"""From a method's row and a request's bytes into a lane, and from the lane's outcome to a reply."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from infrastructure.lanes.lane import Ticket
from infrastructure.rpc.guard import Answerer, Reply
from infrastructure.rpc.method import LaneName, MethodRow, Surroundings
from infrastructure.wire.calls import Metadata

LARGE = 16 * 1024
"""Bytes beyond which a request is not parsed on the thread that takes calls."""


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
    checks: Queue,
    surroundings: Surroundings,
) -> Mapping[str, Answerer]:
    """What answers the calls of each method, by the method's name.

    `checks` is the lane that parses and checks large requests; see `checked`.
    """
    return {row.name: _answerer(row, entrances[row.lane], checks, surroundings) for row in rows}


def checked(batch: Sequence[Callable[[], Any]]) -> Iterator[Any]:
    """The work of the lane of checks: what each of a batch returns or raises."""
    for check in batch:
        try:
            outcome = check()
        except Exception as refusal:  # noqa: BLE001 - it is this call's outcome
            outcome = refusal
        yield outcome


def _answerer(
    row: MethodRow[Any, Any, Any], entrance: Entrance, checks: Queue, surroundings: Surroundings
) -> Answerer:
    read, render, name = row.read, row.render, row.name
    submit, submission, weight = entrance.queue.submit, entrance.submission, entrance.weight

    def check(request: bytes, reply: Reply) -> Any:
        return submission(read(request, surroundings), reply.metadata, name)

    def enter(asked: Any, size: int, reply: Reply) -> Ticket[Any, Any]:
        return submit(
            asked, reply.caller, size, reply.deadline, lambda outcome: reply.settle(outcome, render)
        )

    def answer(request: bytes, reply: Reply) -> None:
        size = len(request)
        if size > LARGE:
            answer_large(request, reply)
            return
        ticket = enter(check(request, reply), weight * size, reply)
        reply.when_cancelled(ticket.withdraw)

    def answer_large(request: bytes, reply: Reply) -> None:
        """Takes a place in the lane of checks first, and one in the row's lane then."""
        size = len(request)
        places: dict[str, Ticket[Any, Any]] = {}

        def has_been_checked(asked: Any) -> None:
            if isinstance(asked, Exception):
                reply.refuse(asked)
                return
            places["entered"] = enter(asked, weight * size, reply)
            places.pop("checks", None)  # It holds the request, which is no longer needed.

        def leave() -> None:
            for place in list(places.values()):
                place.withdraw()

        checking = checks.submit(
            partial(check, request, reply), reply.caller, size, reply.deadline, has_been_checked
        )
        if "entered" not in places:
            places["checks"] = checking
        reply.when_cancelled(leave)

    return answer
