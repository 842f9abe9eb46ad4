"""Many lookups that arrive together become one query."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeVar

V = TypeVar("V")
Waiters = dict[str, list[asyncio.Future[V | None]]]

MAX_KEYS = 128  # of one query: a value may hold a payload of 1 MiB
LINGER = 0.004  # seconds


class Coalesced(Generic[V]):
    """Looks values up by key: at once when idle, and in company when many ask.

    A lookup never joins a query that was already sent, so it sees all that was committed before
    it was made. After a query that answered several callers, the next one lingers until almost
    twice as many wait or the linger is over: those who were just answered are about to ask again.
    """

    def __init__(self, fetch: Callable[[Collection[str]], Awaitable[Mapping[str, V]]]) -> None:
        self._fetch = fetch
        self._waiting: Waiters[V] = {}
        self._callers = 0
        self._expected = 0
        self._company: asyncio.Future[None] | None = None
        self._running: asyncio.Task[None] | None = None

    async def get(self, key: str) -> V | None:
        """The value of a key, or None; raises what the query raised."""
        waiter: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(waiter)
        self._callers += 1
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        elif self._callers >= self._expected:
            self._arrived()
        return await waiter

    async def _run(self) -> None:
        try:
            while self._waiting:
                taken = self._take()
                answered = sum(map(len, taken.values()))
                self._callers -= answered
                await self._answer(taken)
                if answered > 1:
                    await self._linger(2 * answered - 2)
        finally:
            self._running = None

    async def _linger(self, expected: int) -> None:
        loop = asyncio.get_running_loop()
        self._expected = expected
        self._company = loop.create_future()
        timer = loop.call_later(LINGER, self._arrived)
        await self._company
        timer.cancel()
        self._company = None

    def _arrived(self) -> None:
        if self._company is not None and not self._company.done():
            self._company.set_result(None)

    def _take(self) -> Waiters[V]:
        if len(self._waiting) <= MAX_KEYS:
            taken, self._waiting = self._waiting, {}
            return taken
        return {key: self._waiting.pop(key) for key in list(self._waiting)[:MAX_KEYS]}

    async def _answer(self, taken: Waiters[V]) -> None:
        try:
            found = await self._fetch(taken)
        except Exception as fault:  # noqa: BLE001 - it belongs to those who wait for the answer
            for waiter in (w for waiters in taken.values() for w in waiters if not w.done()):
                waiter.set_exception(fault)
            return
        for key, waiters in taken.items():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(found.get(key))
