"""The verification of the feed in a process of its own: no call waits for its interpreter."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from time import monotonic

import psycopg

from application.ports import StoreUnavailable
from application.progress import Progress, Report
from application.verification.findings import FeedReport
from infrastructure.postgres.connection import with_network_guards
from infrastructure.postgres.sqlstates import trouble_of
from infrastructure.proof.logs import Logs
from infrastructure.proof.verifying import Verification

REPORT_EVERY = 0.25  # seconds between two reports of progress
LOOK_EVERY = 0.1  # seconds between two looks whether the work is still wanted
STATEMENT_WITHIN = 60  # seconds that one statement may take
NICENESS = 10
"""By how much the service goes before its verification, where processors are short."""

_spawn = multiprocessing.get_context("spawn")


class VerificationFailed(Exception):
    """The process of a verification ended without a report."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to verify: a database and its logs, from where on, and how long an event may wait."""

    database: str
    logs: Logs | None
    since_last: bool
    stale_after: float


def verified_apart(job: Job, report: Report, wanted: Callable[[], bool]) -> FeedReport | None:
    """The verdicts, made by a process of its own; None as soon as they are not `wanted` any more.

    Raises StoreUnavailable, or VerificationFailed.
    """
    with _working(job) as results:
        while wanted():
            try:
                found = results.recv() if results.poll(LOOK_EVERY) else None
            except EOFError:
                raise VerificationFailed("the process of a verification ended early") from None
            match found:
                case Progress():
                    report(found)
                case FeedReport():
                    return found
                case StoreUnavailable():
                    raise found
    return None


@contextmanager
def _working(job: Job) -> Iterator[Connection]:
    """Yields what the process sends; the process is ended with the block."""
    results, theirs = _spawn.Pipe(duplex=False)
    process = _spawn.Process(target=_work, args=(job, theirs), name="verification", daemon=True)
    process.start()
    theirs.close()  # So the end of the process is the end of what it sends.
    try:
        yield results
    finally:
        results.close()
        process.kill()
        process.join()
        process.close()


def _work(job: Job, results: Connection) -> None:
    # Ctrl-C reaches the whole group of processes; the service decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    try:
        with psycopg.connect(with_network_guards(job.database), autocommit=True) as connection:
            connection.execute(
                f"SET statement_timeout = '{STATEMENT_WITHIN}s'; SET timezone = 'UTC';"
                " SET default_transaction_read_only = on"
            )
            verification = Verification(
                connection, job.logs, lambda: datetime.now(UTC), job.stale_after
            )
            found = verification.feed(whole=not job.since_last, report=_Seldom(results.send))
        results.send(found)
    except psycopg.Error as error:
        results.send(trouble_of(error).refusal(error))
    except BrokenPipeError:  # The report is not wanted any more.
        return


class _Seldom:
    """A Report that passes on what is due."""

    def __init__(self, send: Report) -> None:
        self._send = send
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        if (now := monotonic()) >= self._next:
            self._next = now + REPORT_EVERY
            self._send(progress)
