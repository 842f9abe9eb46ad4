"""Lists are read side by side: a slow one holds up nobody while another thread is free."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Event
from typing import Any, cast

from workflows import workflows_pb2 as pb

from application.queries import Page, PageRequest
from infrastructure.lanes.lane import Lane
from infrastructure.rpc.guard import Reply
from infrastructure.rpc.workflows.methods import WorkflowsServicer
from infrastructure.wiring import LISTS

SOON = 30.0  # seconds: patience with a slow machine, not an expectation
LANES = 2


class Lanes:
    """Threads that read lists; the list of the user "slow" takes until it is let go."""

    def __init__(self) -> None:
        self.let_go = Event()
        self.begun: SimpleQueue[str] = SimpleQueue()
        self.groups = [Lane("lists", self._pages, LISTS) for _ in range(LANES)]

    def _pages(self, batch: Sequence[PageRequest]) -> list[Page | Exception]:
        for request in batch:
            self.begun.put(request.user_id)
            if request.user_id == "slow":
                assert self.let_go.wait(SOON)
        return [Page([], "") for _ in batch]


class Answered:
    """The part of a Reply that a list uses: it tells that it was settled."""

    deadline = float("inf")

    def __init__(self) -> None:
        self.settled = Event()

    def when_cancelled(self, _: Callable[[], object]) -> None:
        """See Reply.when_cancelled."""

    def settle(self, *_: Any) -> None:
        """See Reply.settle."""
        self.settled.set()


@contextmanager
def lanes() -> Iterator[tuple[Lanes, Callable[[str], Answered]]]:
    """Lanes, and how to ask them for a user's list."""
    reading = Lanes()
    unused = cast("Any", None)
    servicer = WorkflowsServicer(
        unused, unused, reading.groups, lambda: datetime.now(UTC), str, terminate_at_threshold=True
    )
    list_workflows = servicer.methods()["ListWorkflows"]

    def ask(user_id: str) -> Answered:
        answered = Answered()
        request = pb.ListWorkflowsRequest(user_id=user_id).SerializeToString()
        list_workflows(request, cast("Reply", answered))
        return answered

    try:
        yield reading, ask
    finally:
        reading.let_go.set()
        for group in reading.groups:
            group.drain()


def test_a_slow_list_does_not_hold_up_one_that_another_thread_can_read() -> None:
    with lanes() as (reading, ask):
        slow = ask("slow")
        assert reading.begun.get(timeout=SOON) == "slow"
        quick = ask("quick")
        assert quick.settled.wait(SOON)
        assert not slow.settled.is_set()


def test_every_list_is_answered_when_the_slow_ones_are_done() -> None:
    with lanes() as (reading, ask):
        asked = [ask(user_id) for user_id in ("slow", "slow", "quick", "quick")]
        reading.let_go.set()
        assert all(answered.settled.wait(SOON) for answered in asked)
