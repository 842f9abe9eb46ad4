"""How a command that works for long shows how far it is: on stderr, seldom, in one line."""

import sys
import time

from application.progress import Progress

LINE_EVERY = 5.0  # seconds between two lines, if stderr is no terminal
REDRAWN_EVERY = 0.2  # seconds, on a terminal


class ProgressLine:
    """A Report that prints; a terminal's line is written over, elsewhere a line follows a line."""

    def __init__(self) -> None:
        self._redraws = sys.stderr.isatty()
        self._next = time.monotonic() + (0 if self._redraws else LINE_EVERY)
        self._step = ""

    def __call__(self, progress: Progress) -> None:
        """Prints it, if it is time, or if a new step begins on a terminal."""
        now = time.monotonic()
        if now < self._next and (not self._redraws or progress.step == self._step):
            return
        self._next = now + (REDRAWN_EVERY if self._redraws else LINE_EVERY)
        self._step = progress.step
        start, end = ("\r\x1b[K", "") if self._redraws else ("", "\n")
        sys.stderr.write(f"{start}{line_of(progress)}{end}")
        sys.stderr.flush()

    def end(self) -> None:
        """Clears the line of a terminal."""
        if self._redraws and self._step:
            sys.stderr.write("\r\x1b[K")


def line_of(progress: Progress) -> str:
    """The progress in one line: step, share, rate, and when it will be done."""
    parts = [progress.step]
    if progress.total > progress.done:
        parts.append(f"{progress.done:,} of {progress.total:,} ({_percent(progress)} %)")
    elif progress.done:
        parts.append(f"{progress.done:,}")
    if progress.rate:
        parts.append(f"{progress.rate:,.0f}/s")
    if progress.total > progress.done and progress.remaining is not None:
        parts.append(f"{_duration(progress.remaining)} to go")
    return "  ".join(parts)


def _percent(progress: Progress) -> int:
    return 100 * progress.done // progress.total


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
