"""Passes a request to the lane of its method, and the lane's outcome to the reply."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from application.accesses import Access
from infrastructure.lanes.lane import Ticket
from infrastructure.rpc.guard import Answerer, Reply
from infrastructure.rpc.leaving import Leaving
from infrastructure.rpc.method import LaneName, MethodRow, Surroundings
from infrastructure.rpc.recording import Recording

LARGE = 16 * 1024
"""A request of more bytes is not parsed on the thread that takes calls."""


class Place(Protocol):
    """A place of a call in a lane."""

    def withdraw(self) -> None:
        """See Ticket.withdraw."""
        ...


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
    submission: Callable[[Any, Reply, str, str], Any]
    """Makes the lane's input from the result of `convert`, the reply, the method and the owner.

    The reply has the caller and the metadata. The owner is the user whom the request names."""
    weight: int = 0
    """How many bytes each byte of a request counts as: how often it is stored."""


def answerers(
    rows: Iterable[MethodRow[Any, Any, Any]],
    entrances: Mapping[LaneName, Entrance],
    checks: Queue,
    surroundings: Surroundings,
    recording: Recording | None = None,
) -> Mapping[str, Answerer]:
    """The function that answers the calls of each method, by the method's name.

    `checks` is the lane that parses and checks large requests; see `checked`. Without `recording`,
    no access is recorded.
    """

    def answerer(row: MethodRow[Any, Any, Any]) -> Answerer:
        entrance = entrances[row.lane]
        if recording is not None and recording.covers(row.name):
            return _RecordingDispatcher(row, entrance, checks, surroundings, recording)
        return _Dispatcher(row, entrance, checks, surroundings)

    return {row.name: answerer(row) for row in rows}


def checked(batch: Sequence[Callable[[], Any]]) -> Iterator[Any]:
    """The work of the lane of checks: what each item of a batch returns or raises."""
    for check in batch:
        try:
            outcome = check()
        except Exception as refusal:  # noqa: BLE001 - it is this call's outcome
            outcome = refusal
        yield outcome


class _Dispatcher:
    """Answers the calls of one method."""

    def __init__(
        self,
        row: MethodRow[Any, Any, Any],
        entrance: Entrance,
        checks: Queue,
        surroundings: Surroundings,
    ) -> None:
        self._row = row
        self._submission = entrance.submission
        self._submit = entrance.queue.submit
        self._weight = entrance.weight
        self._checks = checks
        self._surroundings = surroundings
        self._surroundings_of_large = surroundings.of_large_requests()

    def __call__(self, request: bytes, reply: Reply) -> None:
        """See Answerer."""
        size = len(request)
        if size > LARGE:
            self._take_large(request, size, reply)
        else:
            place = self._enter(self._check(request, reply, self._surroundings), size, reply)
            reply.when_cancelled(place.withdraw)

    def _take_large(self, request: bytes, size: int, reply: Reply) -> None:
        """Takes a place in the lane of checks first, then one in the lane of the method."""
        leaving = Leaving()

        def has_been_checked(asked: Any) -> None:
            if isinstance(asked, Exception):
                leaving.end()
                reply.refuse(asked)
            else:
                leaving.becomes(self._enter(asked, size, reply).withdraw)

        check = partial(self._check, request, reply, self._surroundings_of_large)
        place = self._checks.submit(check, reply.share, size, reply.deadline, has_been_checked)
        leaving.begins_with(place.withdraw)
        reply.when_cancelled(leaving.leave)

    def _check(self, request: bytes, reply: Reply, surroundings: Surroundings) -> Any:
        """The lane's input. Raises the error with which the request is refused."""
        row = self._row
        message = row.message(request, surroundings)
        owner = row.owner(message) if row.owner is not None else ""
        reply.admit_for(owner)
        asked = row.convert(message, surroundings)
        return self._submission(asked, reply, row.name, owner)

    def _enter(self, asked: Any, size: int, reply: Reply) -> "Place":
        render = self._row.render
        return self._submit(
            asked,
            reply.share,
            self._weight * size,
            reply.deadline,
            lambda outcome: reply.answer(outcome, render),
        )


class _RecordingDispatcher(_Dispatcher):
    """Answers the calls of a method whose calls are recorded first."""

    def __init__(
        self,
        row: MethodRow[Any, Any, Any],
        entrance: Entrance,
        checks: Queue,
        surroundings: Surroundings,
        recording: Recording,
    ) -> None:
        super().__init__(_with_message(row), entrance, checks, surroundings)
        self._recording = recording
        self._submission = self._with_access(entrance.submission)

    def _enter(self, asked: Any, size: int, reply: Reply) -> Place:
        submission, access = asked
        if access is None:
            return super()._enter(submission, size, reply)
        enter = super()._enter
        stages = _Stages()

        def recorded(outcome: Access | Exception) -> None:
            if isinstance(outcome, Exception):
                stages.end()
                reply.refuse(outcome)
            else:
                stages.becomes(enter(submission, size, reply).withdraw)

        place = self._recording.submit(access, reply.share, reply.deadline, recorded)
        stages.begins_with(place.withdraw)
        return stages

    def _with_access(self, submission: Callable[..., Any]) -> Callable[..., Any]:
        def made(read: Any, reply: Reply, method: str, owner: str) -> Any:
            message, asked = read
            access = self._recording.access(method, message, owner, reply)
            return submission(asked, reply, method, owner), access

        return made


class _Stages(Leaving):
    """The place of a call that waits in several lanes, one after the other."""

    def withdraw(self) -> None:
        """See Place."""
        self.leave()


def _with_message(row: MethodRow[Any, Any, Any]) -> MethodRow[Any, Any, Any]:
    """The row, with a conversion that returns the message too."""
    return replace(row, convert=lambda message, around: (message, row.convert(message, around)))
