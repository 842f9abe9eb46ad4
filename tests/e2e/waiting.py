"""Waiting for a condition, never for a time; and whether a process is still there."""

import time
from collections.abc import Callable

import psutil


def until(condition: Callable[[], object], within: float = 60.0) -> None:
    """Waits until a condition holds. Raises TimeoutError where it does not within seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not happen within {within} s")
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody asked about yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
