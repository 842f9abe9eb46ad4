"""The gate before every method of ours: open while the service serves, closed when it stops."""

import asyncio
from contextlib import suppress

from infrastructure.rpc.batcher import Draining


class Gate:
    """Counts the calls that are inside; for one event loop, so that counting needs no lock."""

    __slots__ = ("_closed", "_empty", "_inside")

    def __init__(self) -> None:
        self._inside = 0
        self._closed = False
        self._empty = asyncio.Event()

    def enter(self) -> None:
        """Lets a call in, which must leave. Raises Draining once the gate is closed."""
        if self._closed:
            raise Draining
        self._inside += 1

    def leave(self) -> None:
        """A call that was let in has ended."""
        self._inside -= 1
        if self._closed and not self._inside:
            self._empty.set()

    def close(self) -> None:
        """Lets nobody in any more; those who are inside go on."""
        self._closed = True
        if not self._inside:
            self._empty.set()

    async def drained(self, within: float) -> bool:
        """Waits until a closed gate has nobody inside; False where that takes more than seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                return await self._empty.wait()
        return False
