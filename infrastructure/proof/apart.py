"""The verification of the feed in a process of its own: no call waits for its interpreter."""

from collections.abc import Callable
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
from infrastructure.process.apart import LOOK_EVERY, working
from infrastructure.proof.logs import Logs
from infrastructure.proof.verifying import Verification

REPORT_EVERY = 0.25  # seconds between two reports of progress
STATEMENT_WITHIN = 60  # seconds that one statement may take


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
    with working(_work, job, "verification") as results:
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


def _work(job: Job, results: Connection) -> None:
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
