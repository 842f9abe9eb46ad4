"""Verifies what a database holds: against its log, against its witnesses, and against itself.

Events are hashed again from their stored bytes; nothing that is stored beside them is believed. The
service may go on meanwhile: events that a checkpoint covers do not change, and rows are compared
with events of the same snapshot, a part at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from psycopg import Connection

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
from infrastructure.proof.anchors import against_anchors
from infrastructure.proof.changes import named_changes
from infrastructure.proof.kept import KeptLog
from infrastructure.proof.logs import Logs
from infrastructure.proof.single import SingleWorkflow
from infrastructure.proof.stored import recorded_after
from infrastructure.proof.tree import TreePass, gaps
from infrastructure.proof.work import Work
from infrastructure.tlog.checkpoints import LogRefused, SignedCheckpoint
from infrastructure.tlog.tiles import WIDTH

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
        log, signed, end = self._begin(findings)
        size = signed.checkpoint.size if signed else 0
        begin = 0 if whole or not log or not signed else _verified(log, signed)
        work = Work(report, max(end.position, size) - begin)
        if log and signed:
            differences = self._against_log(log, signed, end, begin, work)
            findings.add(named_changes(differences, testimony, self._chain_breaks))
            findings.add(against_anchors(log, signed))
        findings.add(self._gaps(min(size, end.position), end.position, testimony))
        findings.add(self._uncovered(size, end))
        agreement = Agreement(self._connection, log, size, testimony)
        findings.add(agreement.everything(begin, work))
        checkpoint = str(log.with_cosignatures(signed)) if log and signed else ""
        result = _report(findings, end, begin, signed, checkpoint)
        if result.holds and log and signed:
            with suppress(OSError):  # A reader of another's log may not write there.
                log.keep_verified(signed)
        return result

    def workflow(self, workflow_id: str) -> WorkflowReport:
        """Verifies the whole record of one workflow; of one without events, nothing is found."""
        findings, testimony = Findings(), Testimony()
        log, signed, end = self._begin(findings)
        size = signed.checkpoint.size if signed else 0
        if log and signed:
            differences = self._workflow_against_log(log, size, workflow_id, end)
            findings.add(named_changes(differences, testimony, self._chain_breaks))
        agreement = Agreement(self._connection, log, size, testimony)
        examined = agreement.examined(workflow_id)
        findings.add(examined.findings)
        if not examined.findings:
            findings.add(agreement.row(workflow_id))
        return _workflow_report(findings, end, signed, examined.events)

    def _begin(self, findings: Findings) -> tuple[KeptLog | None, SignedCheckpoint | None, FeedEnd]:
        """The log of the epoch and its newest checkpoint, as far as they can be used, and the end.

        The end is read last: so it is not before that of the checkpoint.
        """
        epoch = feed_end(self._connection).feed.epoch
        try:
            log = KeptLog.of(self._logs, epoch)
            signed = log.newest() if log else None
        except LogRefused as refused:
            findings.add([Finding(Kind.DAMAGED_LOG, 0, str(refused))])
            return None, None, feed_end(self._connection)
        end = feed_end(self._connection)
        if signed is None and (self._logs is None or self._waits_too_long(0, end)):
            findings.add([Finding(Kind.NO_CHECKPOINT, 0, _no_checkpoint(self._logs, end))])
        return log, signed, end

    def _against_log(
        self, log: KeptLog, signed: SignedCheckpoint, end: FeedEnd, begin: int, work: Work
    ) -> Iterator[Difference]:
        tiles = log.tiles(signed.checkpoint.size)
        tree = TreePass(self._connection, end.feed, tiles, work.hashed)
        try:
            yield from tree.differences(begin, signed.checkpoint.root)
        except (LogRefused, LeafUnreadable) as damaged:
            yield Difference(Finding(Kind.DAMAGED_LOG, 0, str(damaged)))

    def _workflow_against_log(
        self, log: KeptLog, size: int, workflow_id: str, end: FeedEnd
    ) -> Iterator[Difference]:
        single = SingleWorkflow(self._connection, log, size, workflow_id)
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


def _verified(log: KeptLog, signed: SignedCheckpoint) -> int:
    """Where a verification goes on: the beginning of a tile, 0 if it cannot go on."""
    before = log.verified()
    if before is None or before.checkpoint.size > signed.checkpoint.size:
        return 0
    with suppress(LogRefused):
        if log.tiles(before.checkpoint.size).root() == before.checkpoint.root:
            return before.checkpoint.size // WIDTH * WIDTH
    return 0


def _no_checkpoint(logs: Logs | None, end: FeedEnd) -> str:
    if logs is None:
        return "no log is kept: a cut tail or a history that was rewritten whole would not be seen"
    return f"the log of epoch {end.feed.epoch} has no checkpoint"


def _report(
    findings: Findings,
    end: FeedEnd,
    begin: int,
    signed: SignedCheckpoint | None,
    checkpoint: str,
) -> FeedReport:
    covered = _covered(signed)
    since = f"from position {begin + 1} on" if begin else "from the beginning"
    return FeedReport(
        findings.integrity(
            f"Events {since} to {end.position}: bytes, content, chains, rows and ledger, against"
            f" each other and {covered}."
        ),
        findings.completeness(
            f"Positions {begin + 1} to {end.position} without a gap, against {covered}."
        ),
        max(0, end.position - begin),
        begin + 1,
        end.position,
        end.feed,
        checkpoint,
    )


def _workflow_report(
    findings: Findings, end: FeedEnd, signed: SignedCheckpoint | None, events: int
) -> WorkflowReport:
    return WorkflowReport(
        findings.integrity(
            "Bytes, content, chain and row of the workflow were compared with each other, and each"
            f" event with {_covered(signed)}."
        ),
        findings.completeness(
            "Versions follow one another. Whether the last events were cut off together with the"
            " row, and whether the ledger fits, only the verification of the feed shows."
        ),
        events,
        end.position,
        end.feed,
    )


def _covered(signed: SignedCheckpoint | None) -> str:
    return f"a checkpoint of {signed.checkpoint.size} events" if signed else "no checkpoint at all"
