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
_STATM = Path("/proc/self/statm")


class Memory:
    """Sees that the memory of this process has grown, and gives back what is free of it.

    The C library keeps freed memory for later use: after a flood, that is most of the process.
    """

    def __init__(
        self,
        resident: Callable[[], int] | None = None,
        give_back: Callable[[], object] | None = None,
    ) -> None:
        """`resident` returns the bytes that are held; `give_back` returns what is free of them."""
        self._resident = resident or resident_bytes
        self._give_back = give_back or _give_back_elsewhere
        self._least = self._resident()
        self._looks = 0

    def look(self, *, calm: bool) -> None:
        """Gives back if it is `calm` and more than GROWTH was added to the least that was held.

        Called from time to time. A service that needs more than at its start gives back again and
        again; that costs a few milliseconds each time, on a thread of its own.
        """
        held = self._resident()
        self._least = min(self._least, held)
        self._looks += 1
        if calm and held > self._least + GROWTH and self._looks >= PAUSE:
            self._looks = 0
            self._give_back()


def resident_bytes() -> int:
    """How much memory of the machine this process holds; 0 where the system does not say it."""
    try:
        pages = _STATM.read_text("ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _give_back_elsewhere() -> None:
    """Takes up to some ten milliseconds, which the thread that takes calls does not have."""
    Thread(target=_give_back, name="memory", daemon=True).start()


def _give_back() -> None:
    """Frees what only the collector finds, and returns it to the system, if glibc is there."""
    gc.collect(1)  # Of a flood; what is older stays for a collection of its own time.
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
