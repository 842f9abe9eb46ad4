"""The queue of answers from other threads to the thread that takes calls."""

from collections import deque
from collections.abc import Callable, Collection
from threading import Thread, get_ident
from typing import Any

import structlog

from infrastructure.wire.calls import Metadata

Answer = tuple[Any, bytes | None, int, bytes, Metadata]
"""A call of the core's, and what ends it: message or None, code, text, trailing metadata."""

_log = structlog.get_logger()


class Outbox:
    """Sends answers; those of other threads leave together, on the thread that takes calls.

    Sending lets go of the interpreter's lock. A thread that sent a batch of answers itself would
    pass the lock to the thread that takes calls and back, for each answer: across processors, that
    costs more than the rest of the call (DECISIONS.md). If only one call is under way, there is
    nothing to gather: its answer is sent by the thread that made it.
    """

    def __init__(
        self,
        thread: Thread,
        calls: Collection[object],
        send: Callable[..., None],
        wake: Callable[[Any, Callable[[object], None]], bool],
    ) -> None:
        """`calls` are those under way, `send` takes the parts of an Answer.

        `wake(call, function)` has the function called on the thread that takes calls; it returns
        False if it cannot.
        """
        self._thread = thread
        self._calls = calls
        self._send = send
        self._wake = wake
        self._waiting: deque[Answer] = deque()
        self._woken = False

    def send(
        self, call: Any, message: bytes | None, code: int, text: bytes, trailing: Metadata
    ) -> None:
        """Sends an answer soon. Never blocks."""
        if len(self._calls) == 1 or get_ident() == self._thread.ident:
            self._send(call, message, code, text, trailing)
            return
        self._waiting.append((call, message, code, text, trailing))
        if not self._woken:
            self._woken = True
            if not self._wake(call, self._empty):
                self._empty(None)

    def _empty(self, _: object) -> None:
        self._woken = False
        while self._waiting:
            try:
                self._send(*self._waiting.popleft())
            except Exception as fault:  # noqa: BLE001 - those behind it must leave
                _log.error("answer failed", exc_info=fault)
