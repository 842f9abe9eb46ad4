"""Verifications as tests ask for them, and what they name."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg

from application.verification.findings import FeedReport, Kind, WorkflowReport
from infrastructure.proof.logs import Logs
from infrastructure.proof.verifying import Verification
from tests.support.proofs import KeptLog

Named = list[tuple[Kind, int]]


@contextmanager
def verification(dsn: str, logs: Logs | None, later: float = 0.0) -> Iterator[Verification]:
    """A verification that is made some seconds later, on a connection of its own."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield Verification(connection, logs, lambda: datetime.now(UTC) + timedelta(seconds=later))


def feed(kept: KeptLog, *, since_last: bool = False, later: float = 0.0) -> FeedReport:
    """The verdicts on the feed."""
    with verification(kept.dsn, kept.logs, later) as made:
        return made.feed(whole=not since_last)


def feed_without_log(kept: KeptLog) -> FeedReport:
    """The verdicts on the feed where no log is kept."""
    with verification(kept.dsn, None) as made:
        return made.feed(whole=True)


def workflow(kept: KeptLog, workflow_id: str) -> WorkflowReport:
    """The verdicts on a workflow."""
    with verification(kept.dsn, kept.logs) as made:
        return made.workflow(workflow_id)


def named(report: FeedReport | WorkflowReport) -> Named:
    """What was found, integrity first."""
    found = [*report.integrity.findings, *report.completeness.findings]
    return [(finding.kind, finding.position) for finding in found]
