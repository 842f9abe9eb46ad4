"""Waiting for a condition, never for a time; and whether a process is still there."""

import time
from collections.abc import Callable

import psutil
import psycopg

_LOCK_HELD = """
    SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE datname = current_database() AND locktype = 'advisory' AND objid = 5005201 AND granted
      AND clock_timestamp() - xact_start >= make_interval(secs => %s)
"""


def until(condition: Callable[[], object], within: float = 60.0) -> None:
    """Waits until a condition holds. Raises TimeoutError if it does not within seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not happen within {within} s")
        time.sleep(0.005)


def wait_for_the_lock(database: str, held: float = 0.0) -> None:
    """Waits until the append lock is held by a transaction that is so many seconds old."""
    with psycopg.connect(database, autocommit=True) as connection:
        until(lambda: connection.execute(_LOCK_HELD, (held,)).fetchone() is not None)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
