"""Group commit: callers wait on futures while one thread writes all that wait as one batch."""

import asyncio
from collections.abc import Sequence
from queue import SimpleQueue
from threading import Thread

from application.handler import CommandHandler, Outcome, Submission
from infrastructure.rpc.batcher import (
    Answer,
    Batcher,
    Drained,
    Effect,
    Limits,
    LookAgain,
    Take,
    Ticket,
)

Batch = Sequence[Ticket[Submission]]


class GroupCommit:
    """The only place where commands cross from the event loop to the writer thread and back."""

    def __init__(self, handler: CommandHandler, limits: Limits) -> None:
        self._handler = handler
        self._batcher: Batcher[Submission] = Batcher(limits)
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._futures: dict[Ticket[Submission], asyncio.Future[Outcome]] = {}
        self._loop = asyncio.get_running_loop()
        self._drained = asyncio.Event()
        self._look_again: asyncio.TimerHandle | None = None
        self._thread = Thread(target=self._write, name="writer", daemon=True)
        self._thread.start()

    async def submit(self, submission: Submission, size: int, deadline: float | None) -> Outcome:
        """The outcome of a command of `size` bytes, durable when it is a Done.

        `deadline` is a moment of the loop's clock. Cancelling drops a command that still waits;
        one that is being written goes on, and the ledger answers its retry.
        """
        ticket = Ticket(submission, size, deadline)
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self._futures[ticket] = future
        try:
            self._perform(self._batcher.submitted(ticket, self._loop.time()))
            return await future
        except asyncio.CancelledError:
            self._batcher.cancelled(ticket)
            raise
        finally:
            del self._futures[ticket]

    async def drain(self) -> None:
        """Finishes what was accepted, refuses what comes, and ends the thread."""
        self._perform(self._batcher.drain(self._loop.time()))
        await self._drained.wait()
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join)

    def _perform(self, effects: Sequence[Effect[Submission]]) -> None:
        for effect in effects:
            match effect:
                case Take(tickets):
                    self._batches.put(tickets)
                case Answer(ticket, refusal):
                    self._answer(ticket, refusal)
                case LookAgain(at):
                    self._schedule(at)
                case Drained():
                    self._drained.set()

    def _schedule(self, at: float) -> None:
        if self._look_again is not None:
            self._look_again.cancel()
        self._look_again = self._loop.call_at(at, self._passed)

    def _passed(self) -> None:
        self._perform(self._batcher.passed(self._loop.time()))

    def _write(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                outcomes = self._handler.handle([ticket.submission for ticket in batch])
                answers = list(zip(batch, outcomes, strict=True))
            except Exception as fault:  # noqa: BLE001 - the thread must outlive any batch
                answers = [(ticket, fault) for ticket in batch]
            self._loop.call_soon_threadsafe(self._written, answers)

    def _written(self, batch: Sequence[tuple[Ticket[Submission], Outcome]]) -> None:
        for ticket, outcome in batch:
            self._answer(ticket, outcome)
        self._perform(self._batcher.written(len(batch), self._loop.time()))

    def _answer(self, ticket: Ticket[Submission], outcome: Outcome) -> None:
        future = self._futures.get(ticket)
        if future is not None and not future.done():
            future.set_result(outcome)
