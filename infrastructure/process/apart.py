"""Long work in a process of its own: no call of the service waits for its interpreter."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TypeVar

J = TypeVar("J")

LOOK_EVERY = 0.1  # seconds between two looks whether the work is still wanted
NICENESS = 10
"""By how much the service goes before such work, where processors are short."""

_spawn = multiprocessing.get_context("spawn")


@contextmanager
def working(work: Callable[[J, Connection], None], job: J, name: str) -> Iterator[Connection]:
    """Runs `work` with a job elsewhere, and yields the connection on which it sends results.

    Both must be picklable. The process is ended with the block. If it ends by itself, that is the
    end of what it sends.
    """
    results, theirs = _spawn.Pipe(duplex=False)
    process = _spawn.Process(target=_begun, args=(work, job, theirs), name=name, daemon=True)
    process.start()
    theirs.close()
    try:
        yield results
    finally:
        results.close()
        process.kill()
        process.join()
        process.close()


def _begun(work: Callable[[J, Connection], None], job: J, results: Connection) -> None:
    # Ctrl-C reaches the whole group of processes; the service decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    work(job, results)
