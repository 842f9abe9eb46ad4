"""Signals as steps of a stop: the first asks for a stop, the second does not wait for calls, the
third ends the process.

A handler may run between any two steps of the code that it interrupts, so ours do almost nothing.
The number of a signal is written to a pipe by the interpreter itself, and a thread of its own reads
the pipe: it sees signals even while the main thread is busy in a library.
"""

import os
import signal
from threading import Event, Thread
from time import monotonic
from types import FrameType, TracebackType
from typing import Any, Self

from infrastructure.process.lastresort import end_now

ONE_WISH = 0.3  # seconds: `make` and a process group may send one Ctrl-C several times
LAST_RESORT = 30.0  # seconds after which a stop that hangs ends the process

_END = 0  # no signal has this value


class Stopped(BaseException):
    """The service was asked to stop while it started. No `except Exception` may catch it."""


class StopSignals:
    """The stop signals that arrived while the block runs. For the main thread only."""

    def __init__(self, *listened: signal.Signals, ignored: tuple[signal.Signals, ...] = ()) -> None:
        """Listens to these signals, SIGTERM, SIGINT and SIGHUP if none is named."""
        self._listened = listened or (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        self._ignored = ignored
        self._previous: dict[int, Any] = {}
        self._starting = False
        self._ended = Event()
        self.asked = Event()
        """Set when the service is to stop."""
        self.hurried = Event()
        """Set when it is to stop without waiting for calls in flight."""

    def __enter__(self) -> Self:
        reader, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        Thread(target=self._listen, args=(reader,), name="signals", daemon=True).start()
        self._previous_pipe = signal.set_wakeup_fd(self._pipe, warn_on_full_buffer=False)
        for number in self._listened:
            self._previous[number] = signal.signal(number, self._interrupt)
        for number in self._ignored:
            self._previous[number] = signal.signal(number, signal.SIG_IGN)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        signal.set_wakeup_fd(self._previous_pipe)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.write(self._pipe, bytes([_END]))
        os.close(self._pipe)

    def interrupt_start(self) -> None:
        """From now on the first signal raises Stopped: a start may wait in a library for long."""
        self._starting = True

    def start_is_over(self) -> None:
        """From now on signals only set what they ask for. Raises Stopped if one came before."""
        self._starting = False
        if self.asked.is_set():
            raise Stopped

    def _interrupt(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's parameters
        if self._starting:
            self._starting = False
            raise Stopped

    def _listen(self, reader: int) -> None:
        wishes, latest = 0, -ONE_WISH
        with os.fdopen(reader, "rb", buffering=0) as signals:
            while (number := signals.read(1)) not in (b"", bytes([_END])):
                if monotonic() - latest < ONE_WISH or number[0] not in self._listened:
                    continue
                latest = monotonic()
                wishes += 1
                if wishes == 1:
                    self.ask()
                elif wishes == 2:  # noqa: PLR2004 - the second
                    self.hurried.set()
                else:
                    os._exit(128 + number[0])  # As shells report an end by a signal.

    def ask(self) -> None:
        """Asks for a stop, as the first signal does. May be called on any thread."""
        if not self.asked.is_set():
            self.asked.set()
            Thread(target=self._last_resort, name="last resort", daemon=True).start()

    def _last_resort(self) -> None:
        if not self._ended.wait(LAST_RESORT):
            end_now(f"the stop did not end within {LAST_RESORT:g} s")
