"""Memory that a flood of calls leaves behind goes back to the system."""

import ctypes
import sys


def give_back() -> None:
    """Returns freed memory to the system, if the C library can (glibc); otherwise does nothing.

    The library keeps freed memory for later use; after a flood, that is most of the memory of the
    process. Takes some milliseconds.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
