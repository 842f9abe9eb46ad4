"""The verification of the feed in a process of its own: no call waits for its interpreter."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from time import monotonic

import psycopg

from application.ports import StoreUnavailable
from application.progress import Progress, Report, unreported
from application.verification.findings import FeedReport, WorkflowReport
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
    """What to verify: a database and its logs. `stale_after`: see Verification."""

    database: str
    logs: Logs | None
    stale_after: float


@dataclass(frozen=True, slots=True)
class FeedJob(Job):
    """The feed: all of it, or what follows the last verification."""

    since_last: bool

    def verdicts(self, verification: Verification, report: Report) -> FeedReport:
        """Does the work."""
        return verification.feed(whole=not self.since_last, report=report)


@dataclass(frozen=True, slots=True)
class WorkflowJob(Job):
    """One workflow."""

    workflow_id: str

    def verdicts(self, verification: Verification, _: Report) -> WorkflowReport:
        """Does the work."""
        return verification.workflow(self.workflow_id)


def feed_verified_apart(
    job: FeedJob, report: Report, wanted: Callable[[], bool]
) -> FeedReport | None:
    """The verdicts on the feed; None as soon as they are not `wanted` any more.

    Raises StoreUnavailable, or VerificationFailed.
    """
    found = _verified_apart(job, report, wanted)
    assert not isinstance(found, WorkflowReport)  # noqa: S101 - the job is about the feed
    return found


def workflow_verified_apart(job: WorkflowJob) -> WorkflowReport:
    """The verdicts on a workflow. Raises StoreUnavailable, or VerificationFailed."""
    found = _verified_apart(job, unreported, lambda: True)
    assert isinstance(found, WorkflowReport)  # noqa: S101 - it is wanted to the end
    return found


def _verified_apart(
    job: FeedJob | WorkflowJob, report: Report, wanted: Callable[[], bool]
) -> FeedReport | WorkflowReport | None:
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
                case FeedReport() | WorkflowReport():
                    return found
                case StoreUnavailable():
                    raise found
    return None


def _work(job: FeedJob | WorkflowJob, results: Connection) -> None:
    try:
        with psycopg.connect(with_network_guards(job.database), autocommit=True) as connection:
            connection.execute(
                f"SET statement_timeout = '{STATEMENT_WITHIN}s'; SET timezone = 'UTC';"
                " SET default_transaction_read_only = on"
            )
            verification = Verification(
                connection, job.logs, lambda: datetime.now(UTC), job.stale_after
            )
            found = job.verdicts(verification, _Seldom(results.send))
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
