"""Lines to a stream that may be full or closed: the caller never waits and never fails.

A thread of its own writes. What does not fit is lost and counted, and the count is written when
the stream takes lines again.
"""

import os
from collections import deque
from threading import Condition, Thread

MOST_WAITING = 1000  # lines
FLUSHED_WITHIN = 0.5  # seconds


class Lines:
    """A bounded queue of lines before a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: deque[str] = deque()
        self._changed = Condition()
        self._writing = False
        self.lost = 0
        """How many lines were lost since the last time that the count was written."""
        Thread(target=self._write_all, name="log", daemon=True).start()

    def put(self, line: str) -> None:
        """Writes a line soon, or loses it. Never waits for the stream, never raises."""
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                self.lost += 1
            else:
                self._waiting.append(line)
                self._changed.notify_all()

    def flush(self, within: float = FLUSHED_WITHIN) -> bool:
        """Waits until everything is written, at most so many seconds. Returns whether it is."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._waiting and not self._writing, timeout=within
            )

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                line = self._waiting.popleft()
                lost, self.lost = self.lost, 0
                self._writing = True
            text = f"{line}\n" if not lost else f"{_tell(lost)}\n{line}\n"
            written = self._write(text.encode(errors="backslashreplace"))
            with self._changed:
                self._writing = False
                if not written:
                    self.lost += lost + 1
                self._changed.notify_all()

    def _write(self, text: bytes) -> bool:
        try:
            while text:
                text = text[os.write(self._descriptor, text) :]
        except OSError:  # The pipe is closed, the disk is full, or the descriptor does not block.
            return False
        return True


def _tell(lost: int) -> str:
    return f'{{"event": "log lines were lost", "lines": {lost}, "level": "warning"}}'
