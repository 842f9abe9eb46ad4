"""Memory that a flood leaves behind goes back to the system."""

import ctypes
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

GROWTH = 16 * 1024 * 1024  # bytes
PAUSE = 5  # looks between two times of giving back
THOROUGH = 3  # of so many times in a row that memory is given back, one takes old objects too
_STATM = Path("/proc/self/statm")


class Memory:
    """Sees that the memory of this process has grown, and gives back what is free of it.

    The C library keeps freed memory for later use: after a flood, that is most of the process.
    """

    def __init__(
        self,
        resident: Callable[[], int] | None = None,
        give_back: Callable[[bool], object] | None = None,
    ) -> None:
        """`resident` returns the bytes that are held; `give_back` returns what is free of them.

        It is asked whether to look among old objects too, which takes longer.
        """
        self._resident = resident or resident_bytes
        self._give_back = give_back or _give_back_elsewhere
        self._least = self._resident()
        self._looks = 0
        self._in_a_row = 0

    def look(self, *, calm: bool) -> None:
        """Gives back if it is `calm` and more than GROWTH was added to the least that was held.

        Called from time to time. A service that needs more than at its start gives back again and
        again; that costs a few milliseconds each time, on a thread of its own.
        """
        held = self._resident()
        self._least = min(self._least, held)
        self._looks += 1
        if held <= self._least + GROWTH:
            self._in_a_row = 0
        elif calm and self._looks >= PAUSE:
            self._looks = 0
            self._in_a_row += 1
            self._give_back(self._in_a_row % THOROUGH == 0)


def resident_bytes() -> int:
    """How much memory of the machine this process holds; 0 where the system does not say it."""
    try:
        pages = _STATM.read_text("ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _give_back_elsewhere(thorough: bool) -> None:
    """Takes up to some ten milliseconds, which the thread that takes calls does not have."""
    Thread(target=_give_back, args=(thorough,), name="memory", daemon=True).start()


def _give_back(thorough: bool) -> None:
    """Frees what only the collector finds, and returns it to the system, if glibc is there."""
    gc.collect(2 if thorough else 1)  # A flood's objects are young, unless it lasted.
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
