"""Verifies what a database holds: against its log, against its witnesses, and against itself.

Events are hashed again from their stored bytes; nothing that is stored beside them is believed. The
service may go on meanwhile: events that a checkpoint covers do not change, and rows are compared
with events of the same snapshot, a part at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg import Connection, Error

from application.leaves import LeafUnreadable
from application.ports import FeedEnd
from application.progress import Report, unreported
from application.verification.findings import (
    FeedReport,
    Finding,
    Findings,
    Kind,
    WorkflowReport,
)
from application.verification.testimony import Difference, Testimony
from infrastructure.eventstore.feed import feed_end
from infrastructure.proof.agreement import Agreement
from infrastructure.proof.changes import named_changes
from infrastructure.proof.logs import Logs
from infrastructure.proof.reports import feed_report, no_checkpoint, workflow_report
from infrastructure.proof.signedlog import SignedLog
from infrastructure.proof.single import SingleWorkflow
from infrastructure.proof.storage import storage_damage
from infrastructure.proof.stored import recorded_after
from infrastructure.proof.tree import TreePass, gaps
from infrastructure.proof.work import Work
from infrastructure.tlog.checkpoints import LogRefused

STALE_AFTER = 60.0  # seconds that an event may wait for a checkpoint, beside the set ones


class Verification:
    """Verifies one database on one connection, which may take its time."""

    def __init__(
        self,
        connection: Connection[Any],
        logs: Logs | None,
        now: Callable[[], datetime],
        stale_after: float = STALE_AFTER,
    ) -> None:
        """An event that is older than `stale_after` seconds must be covered by a checkpoint."""
        self._connection = connection
        self._logs = logs
        self._now = now
        self._stale_after = stale_after

    def feed(self, *, whole: bool, report: Report = unreported) -> FeedReport:
        """Verifies the feed, from the checkpoint that was verified last if not the `whole`."""
        findings, testimony = Findings(), Testimony()
        log, end = self._begin(findings)
        size = log.size if log else 0
        begin = log.resumption() if log and not whole else 0
        work = Work(report, max(end.position, size) - begin)
        if log:
            findings.add(log.anchors.contradictions(log.kept, log.signed))
            with self._damage_named(findings, end):
                differences = self._against_log(log, end, begin, work)
                findings.add(named_changes(differences, testimony, self._chain_breaks))
        with self._damage_named(findings, end):
            findings.add(self._gaps(min(size, end.position), end.position, testimony))
            findings.add(self._uncovered(size, end))
            agreement = Agreement(self._connection, log.kept if log else None, size, testimony)
            findings.add(agreement.everything(begin, work))
        result = feed_report(findings, end, begin, log)
        if result.holds and log:
            log.keep_verified()
        return result

    def workflow(self, workflow_id: str) -> WorkflowReport:
        """Verifies the whole record of one workflow; of one without events, nothing is found."""
        findings, testimony = Findings(), Testimony()
        log, end = self._begin(findings)
        size = log.size if log else 0
        if log:
            differences = self._workflow_against_log(log, workflow_id, end)
            findings.add(named_changes(differences, testimony, self._chain_breaks))
        agreement = Agreement(self._connection, log.kept if log else None, size, testimony)
        examined = agreement.examined(workflow_id)
        findings.add(examined.findings)
        if not examined.findings:
            findings.add(agreement.row(workflow_id))
        return workflow_report(findings, end, log, examined.events)

    @contextmanager
    def _damage_named(self, findings: Findings, end: FeedEnd) -> Iterator[None]:
        """Makes a finding of what the database cannot read; what it can read is verified."""
        try:
            yield
        except Error as error:
            damage = storage_damage(self._connection, end.position, error)
            if damage is None:
                raise
            findings.add([damage])

    def _begin(self, findings: Findings) -> tuple[SignedLog | None, FeedEnd]:
        """The log of the epoch, if it can be used, and the end of the feed.

        The end is read last: so it is not before that of the log, though both grow.
        """
        epoch = feed_end(self._connection).feed.epoch
        try:
            log = SignedLog.of(self._logs, epoch)
        except LogRefused as refused:
            findings.add([Finding(Kind.DAMAGED_LOG, 0, str(refused))])
            return None, feed_end(self._connection)
        end = feed_end(self._connection)
        if log is None and (self._logs is None or self._waits_too_long(0, end)):
            findings.add([Finding(Kind.NO_CHECKPOINT, 0, no_checkpoint(self._logs, epoch))])
        return log, end

    def _against_log(
        self, log: SignedLog, end: FeedEnd, begin: int, work: Work
    ) -> Iterator[Difference]:
        tree = TreePass(self._connection, end.feed, log.kept.tiles(log.size), work.hashed)
        try:
            yield from tree.differences(begin, log.signed.checkpoint.root)
        except (LogRefused, LeafUnreadable) as damaged:
            yield Difference(Finding(Kind.DAMAGED_LOG, 0, str(damaged)))

    def _workflow_against_log(
        self, log: SignedLog, workflow_id: str, end: FeedEnd
    ) -> Iterator[Difference]:
        single = SingleWorkflow(self._connection, log.kept, log.size, workflow_id)
        try:
            yield from single.differences(end.position)
        except (LogRefused, LeafUnreadable) as damaged:
            yield Difference(Finding(Kind.DAMAGED_LOG, 0, str(damaged)))

    def _chain_breaks(self, workflow_id: str) -> int:
        """In how many places the stored chain of a workflow breaks."""
        return Agreement(self._connection, None, 0, Testimony()).examined(workflow_id).breaks

    def _gaps(self, after: int, end: int, testimony: Testimony) -> Iterator[Finding]:
        for finding in gaps(self._connection, after, end):
            testimony.add_hole(finding.position)
            yield finding

    def _uncovered(self, size: int, end: FeedEnd) -> Iterator[Finding]:
        """Events that should be covered by now."""
        if size and (waited := self._waits_too_long(size, end)):
            yield Finding(
                Kind.STALE_CHECKPOINT,
                size + 1,
                f"the event was recorded {waited:.0f} s ago, and no checkpoint covers it",
            )

    def _waits_too_long(self, size: int, end: FeedEnd) -> float:
        """For how many seconds the first event after so many has waited; 0 if not too long."""
        if size >= end.position:
            return 0
        recorded_at = recorded_after(self._connection, size)
        waited = (self._now() - recorded_at).total_seconds() if recorded_at else 0
        return waited if waited > self._stale_after else 0
