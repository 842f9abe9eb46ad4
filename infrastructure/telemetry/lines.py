"""Lines to a stream that may be full or closed: the caller never waits and never fails.

A thread of its own writes. What does not fit is lost and counted, and the count is written when
the stream takes lines again.
"""

import os
import stat
from collections import deque
from collections.abc import Iterator
from math import inf
from select import PIPE_BUF
from threading import Condition, Thread

MOST_WAITING = 2000  # lines
FLUSHED_WITHIN = 0.5  # seconds


class Lines:
    """A bounded queue of lines before a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._most = PIPE_BUF if _is_pipe(descriptor) else inf
        self._waiting: deque[tuple[str, int]] = deque()
        self._count = 0
        self._changed = Condition()
        self._writing = False
        self.lost = 0
        """How many lines were lost since the last time that the count was written."""
        Thread(target=self._write_all, name="log", daemon=True).start()

    def put(self, text: str, count: int = 1) -> None:
        """Writes so many lines soon, or loses them. Never waits for the stream, never raises."""
        with self._changed:
            if self._count >= MOST_WAITING:
                self.lost += count
            else:
                self._waiting.append((text, count))
                self._count += count
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
                line, count = self._waiting.popleft()
                self._count -= count
                lost, self.lost = self.lost, 0
                self._writing = True
            text = f"{line}\n" if not lost else f"{_tell(lost)}\n{line}\n"
            written = self._write(text.encode(errors="backslashreplace"))
            with self._changed:
                self._writing = False
                if not written:
                    self.lost += lost + count
                self._changed.notify_all()

    def _write(self, text: bytes) -> bool:
        try:
            for piece in _pieces(text, self._most):
                while piece:
                    piece = piece[os.write(self._descriptor, piece) :]  # noqa: PLW2901 - what is left
        except OSError:  # The pipe is closed, the disk is full, or the descriptor does not block.
            return False
        return True


def _is_pipe(descriptor: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except OSError:
        return True


def _pieces(text: bytes, most: float) -> Iterator[bytes]:
    """Whole lines, no more than a pipe takes at once: those of several processes do not mix."""
    while len(text) > most:
        end = text.rfind(b"\n", 0, PIPE_BUF) + 1 or text.index(b"\n") + 1
        yield text[:end]
        text = text[end:]
    yield text


def _tell(lost: int) -> str:
    return f'{{"event": "log lines were lost", "lines": {lost}, "level": "warning"}}'
