"""Callers wait on the event loop while one thread writes; a double of the handler is held by us."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from threading import Event, current_thread

import pytest

from application.handler import CommandHandler, Done, Outcome, Submission
from application.ports import Origin
from infrastructure.rpc.batcher import DeadlinePassed, Draining, Limits, Overloaded
from infrastructure.rpc.group_commit import GroupCommit
from tests.domain.given import ID, create

SOON = 5.0  # seconds: the bound of every wait
LIMITS = Limits(queue=40, batch=16, batch_bytes=1000, linger=0.001)


class Held(CommandHandler):
    """A handler that answers when it is let, with the name of each command as its id."""

    def __init__(self) -> None:
        self.batches: list[Sequence[str]] = []
        self.threads: set[str] = set()
        self.begun = Event()
        self.free = Event()
        self.free.set()
        self.faults: list[Exception] = []

    def handle(self, batch: Sequence[Submission]) -> list[Outcome]:
        names = [name_of(submission) for submission in batch]
        self.batches.append(names)
        self.threads.add(current_thread().name)
        self.begun.set()
        assert self.free.wait(SOON)
        if self.faults:
            raise self.faults.pop()
        return [LookupError(name) if "refuse" in name else outcome(name) for name in names]

    async def hold(self, commits: GroupCommit) -> "asyncio.Task[Outcome]":
        """Starts a batch of one that is being written until the handler is set free."""
        self.begun.clear()
        self.free.clear()
        task = asyncio.create_task(submit(commits, "held"))
        assert await asyncio.to_thread(self.begun.wait, SOON)
        return task


def name_of(submission: Submission) -> str:
    """The name by which a test knows a command."""
    return submission.origin.request_id


def outcome(name: str) -> Done:
    """How the double answers a command."""
    return Done(name, version=1, position=1, threshold_reached=False)


async def submit(
    commits: GroupCommit, name: str, size: int = 1, deadline: float | None = None
) -> Outcome:
    """The outcome of a command."""
    submission = Submission(create(id=ID), Origin("tester", name))
    async with asyncio.timeout(SOON):
        return await commits.submit(submission, size, deadline)


async def waiting(commits: GroupCommit, *names: str) -> list["asyncio.Task[Outcome]"]:
    """Commands that wait behind the one that is held."""
    tasks = [asyncio.create_task(submit(commits, name)) for name in names]
    await asyncio.sleep(0)
    return tasks


async def within(awaitable: Awaitable[object]) -> object:
    """The result, soon or never."""
    async with asyncio.timeout(SOON):
        return await awaitable


@pytest.fixture
def handler() -> Held:
    """A handler that answers at once."""
    return Held()


@pytest.fixture
async def commits(handler: Held) -> AsyncIterator[GroupCommit]:
    """A group commit over the double, drained in the end."""
    commits = GroupCommit(handler, LIMITS)
    yield commits
    handler.free.set()
    await within(commits.drain())


async def test_an_outcome_reaches_its_caller(commits: GroupCommit) -> None:
    assert await submit(commits, "a") == outcome("a")


async def test_every_caller_gets_its_own_outcome(commits: GroupCommit, handler: Held) -> None:
    names = [f"refuse {n}" if n % 3 == 0 else f"take {n}" for n in range(30)]
    outcomes = await asyncio.gather(*(submit(commits, name) for name in names))
    for name, answer in zip(names, outcomes, strict=True):
        if isinstance(answer, Exception):
            assert answer.args == (name,)
        else:
            assert answer.workflow_id == name
    assert handler.threads == {"writer"}


async def test_commands_that_come_together_are_written_together(
    commits: GroupCommit, handler: Held
) -> None:
    held = await handler.hold(commits)
    tasks = await waiting(commits, *(f"{n}" for n in range(20)))
    handler.free.set()
    await within(asyncio.gather(held, *tasks))
    assert handler.batches == [
        ["held"],
        [f"{n}" for n in range(LIMITS.batch)],
        [f"{n}" for n in range(LIMITS.batch, 20)],
    ]


async def test_a_thousand_commands_in_turn_are_all_answered_once(
    commits: GroupCommit, handler: Held
) -> None:
    async def caller(number: int) -> None:
        for turn in range(50):
            name = f"{number}/{turn}"
            assert await submit(commits, name) == outcome(name)

    await asyncio.gather(*(caller(number) for number in range(LIMITS.queue // 2)))
    written = [name for batch in handler.batches for name in batch]
    assert len(written) == len(set(written)) == 50 * LIMITS.queue // 2
    assert len(handler.batches) < len(written)


async def test_a_caller_that_leaves_while_it_waits_is_not_written_and_harms_nobody(
    commits: GroupCommit, handler: Held
) -> None:
    held = await handler.hold(commits)
    first, leaver, last = await waiting(commits, "first", "leaver", "last")
    leaver.cancel()
    await asyncio.wait([leaver])
    handler.free.set()
    assert await within(first) == outcome("first")
    assert await within(last) == outcome("last")
    assert leaver.cancelled()
    assert held.done()
    assert handler.batches == [["held"], ["first", "last"]]


async def test_a_caller_that_leaves_while_it_is_written_does_not_stop_the_writing(
    commits: GroupCommit, handler: Held
) -> None:
    leaver = await handler.hold(commits)
    (other,) = await waiting(commits, "other")
    leaver.cancel()
    await asyncio.wait([leaver])
    assert handler.batches == [["held"]]
    handler.free.set()
    assert await within(other) == outcome("other")
    assert handler.batches == [["held"], ["other"]]


async def test_a_fault_of_the_handler_answers_its_whole_batch_and_the_thread_lives_on(
    commits: GroupCommit, handler: Held
) -> None:
    fault = MemoryError("no room")
    held = await handler.hold(commits)
    tasks = await waiting(commits, "a", "b")
    handler.faults = [fault, fault]
    handler.free.set()
    assert await within(asyncio.gather(held, *tasks)) == [fault] * 3
    assert await submit(commits, "c") == outcome("c")


async def test_a_deadline_in_the_past_is_answered_undecided(
    commits: GroupCommit, handler: Held
) -> None:
    past = asyncio.get_running_loop().time() - 1
    assert isinstance(await submit(commits, "late", deadline=past), DeadlinePassed)
    assert handler.batches == []
    assert await submit(commits, "a", deadline=past + 100) == outcome("a")


async def test_a_deadline_that_passes_in_the_queue_is_answered_undecided(
    commits: GroupCommit, handler: Held
) -> None:
    loop = asyncio.get_running_loop()
    held = await handler.hold(commits)
    late = asyncio.create_task(submit(commits, "late", deadline=loop.time() + 0.001))
    passed = asyncio.Event()
    loop.call_later(0.002, passed.set)
    await passed.wait()
    handler.free.set()
    assert isinstance(await within(late), DeadlinePassed)
    assert await within(held) == outcome("held")
    assert handler.batches == [["held"]]


async def test_too_many_callers_are_refused_at_once(commits: GroupCommit, handler: Held) -> None:
    held = await handler.hold(commits)
    tasks = await waiting(commits, *(f"{n}" for n in range(LIMITS.queue)))
    assert isinstance(await submit(commits, "too many"), Overloaded)
    handler.free.set()
    await within(asyncio.gather(held, *tasks))
    assert sum(map(len, handler.batches)) == LIMITS.queue + 1


async def test_draining_finishes_what_was_accepted_and_ends_the_thread(handler: Held) -> None:
    commits = GroupCommit(handler, LIMITS)
    held = await handler.hold(commits)
    accepted = await waiting(commits, "a", "b")
    drained = asyncio.create_task(commits.drain())
    await asyncio.sleep(0)
    assert isinstance(await submit(commits, "c"), Draining)
    assert not drained.done()
    handler.free.set()
    await within(drained)
    assert [task.result() for task in (held, *accepted)] == [outcome(n) for n in ("held", "a", "b")]
    assert not commits._thread.is_alive()
    assert isinstance(await submit(commits, "d"), Draining)
