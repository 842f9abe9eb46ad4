"""Many lookups that arrive together become one query."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeVar

V = TypeVar("V")
Waiters = dict[str, list[asyncio.Future[V | None]]]

MAX_KEYS = 512  # of one query


class Coalesced(Generic[V]):
    """Looks values up by key: at once when idle, and in company when lookups are under way.

    A lookup never joins a query that was already sent, so it sees all that was committed before
    it was made.
    """

    def __init__(
        self, fetch: Callable[[Collection[str]], Awaitable[Mapping[str, V]]], *, at_once: int = 2
    ) -> None:
        """`at_once` bounds how many queries run side by side."""
        self._fetch = fetch
        self._idle = at_once
        self._waiting: Waiters[V] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> V | None:
        """The value of a key, or None; raises what the query raised."""
        waiter: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(waiter)
        if self._idle:
            self._idle -= 1
            task = asyncio.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await waiter

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._take())
        finally:
            self._idle += 1

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
