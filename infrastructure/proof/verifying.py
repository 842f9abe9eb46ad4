"""Verifies what a database holds: against its log, against its witnesses, and against itself.

Events are hashed again from their stored bytes; nothing that is stored beside them is believed. The
service may go on meanwhile: events that a checkpoint covers do not change, and rows are compared
with events of the same snapshot, a part at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from typing import Any

from psycopg import Connection

from application import check
from application.leaves import Leaf, LeafUnreadable
from application.ports import FeedEnd
from application.progress import Report, unreported
from application.verification.findings import (
    FeedReport,
    Finding,
    Findings,
    Kind,
    WorkflowReport,
)
from application.verification.streams import Examined, Signed, examine, rewritten_chains
from infrastructure.eventstore.feed import decode, feed_end
from infrastructure.proof.kept import KeptLog
from infrastructure.proof.logs import Logs
from infrastructure.proof.stored import recorded_after, stream_of
from infrastructure.proof.tree import TreePass, gaps
from infrastructure.proof.work import Work
from infrastructure.readmodel.checking import CheckedPostgres
from infrastructure.tlog.checkpoints import LogRefused, SignedCheckpoint
from infrastructure.tlog.notes import NoteRefused
from infrastructure.tlog.tiles import WIDTH

STALE_AFTER = 60.0  # seconds that an event may wait for a checkpoint, beside the set ones
EXAMINED = 100  # workflows that are examined one by one

_OF_CHECK = {
    check.Kind.DIFFERS: (Kind.WRONG_ROW, "the row is not the fold of the events: {}"),
    check.Kind.MISSING: (Kind.MISSING_ROW, "the workflow has no row"),
    check.Kind.SURPLUS: (Kind.STRANGE_ROW, "the row belongs to no events: {}"),
    check.Kind.ASTRAY: (Kind.LEDGER_ASTRAY, "an entry of the ledger names no event: {}"),
}


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
        end = feed_end(self._connection)
        findings = Findings()
        log, signed = self._log(end, findings)
        size = signed.checkpoint.size if signed else 0
        begin = 0 if whole or not log or not signed else _verified(log, signed)
        work = Work(report, end.position - begin)
        if log and signed:
            findings.add(self._against_log(log, signed, end, begin, work))
            findings.add(_against_witnesses(log, signed))
        findings.add(gaps(self._connection, min(size, end.position), end.position))
        findings.add(self._uncovered(size, end))
        findings.add(self._against_itself(log, size, begin, work))
        result = _report(findings, end, begin, signed)
        if result.holds and log and signed:
            with suppress(OSError):  # A reader of another's log may not write there.
                log.keep_verified(signed)
        return result

    def workflow(self, workflow_id: str) -> WorkflowReport:
        """Verifies the whole record of one workflow; of one without events, nothing is found."""
        end = feed_end(self._connection)
        findings = Findings()
        log, signed = self._log(end, findings)
        size = signed.checkpoint.size if signed else 0
        examined = self._examined(workflow_id, _signed_leaves(log, size))
        findings.add(examined.findings)
        findings.add(self._rows([workflow_id]))
        covered = f"a checkpoint of {size} events" if signed else "no checkpoint"
        return WorkflowReport(
            findings.integrity(
                "Bytes, content, chain and row of the workflow were compared with each other,"
                f" and each event with {covered}."
            ),
            findings.completeness(
                "Versions follow one another. Whether the last events were cut off together with"
                " the row, only the verification of the feed shows."
            ),
            examined.events,
            end.position,
            end.feed,
        )

    def _log(
        self, end: FeedEnd, findings: Findings
    ) -> tuple[KeptLog | None, SignedCheckpoint | None]:
        """The log of the epoch and its newest checkpoint, as far as they can be used."""
        try:
            log = KeptLog.of(self._logs, end.feed.epoch)
            signed = log.newest() if log else None
        except LogRefused as refused:
            findings.add([Finding(Kind.DAMAGED_LOG, 0, str(refused))])
            return None, None
        if signed is None:
            findings.add([Finding(Kind.NO_CHECKPOINT, 0, _no_checkpoint(self._logs, end))])
        return log, signed

    def _against_log(
        self, log: KeptLog, signed: SignedCheckpoint, end: FeedEnd, begin: int, work: Work
    ) -> Sequence[Finding]:
        """How the events differ from the log; of a workflow whose chain holds, as one rewriting."""
        tiles = log.tiles(signed.checkpoint.size)
        tree = TreePass(self._connection, end.feed, tiles, work.hashed)
        found: list[Finding] = []
        try:
            found += tree.findings(begin, signed.checkpoint.root)
        except (LogRefused, LeafUnreadable) as damaged:
            found.append(Finding(Kind.DAMAGED_LOG, 0, str(damaged)))
        changed = [each for each in found if each.kind is Kind.CHANGED_BYTES]
        others = [each for each in found if each.kind is not Kind.CHANGED_BYTES]
        changed.sort(key=lambda each: (each.workflow_id, each.position))
        for number, (workflow_id, of_one) in enumerate(
            groupby(changed, key=lambda each: each.workflow_id)
        ):
            several = list(of_one)
            if number < EXAMINED:
                breaks = self._examined(workflow_id, lambda _: None).breaks
                others += rewritten_chains(several, breaks=breaks)
            else:
                others += several
        return others

    def _uncovered(self, size: int, end: FeedEnd) -> Iterator[Finding]:
        """Events that should be covered by now."""
        if not size or size >= end.position:
            return
        recorded_at = recorded_after(self._connection, size)
        waited = (self._now() - recorded_at).total_seconds() if recorded_at else 0
        if waited > self._stale_after:
            yield Finding(
                Kind.STALE_CHECKPOINT,
                size + 1,
                f"the event was recorded {waited:.0f} s ago, and no checkpoint covers it",
            )

    def _against_itself(
        self, log: KeptLog | None, size: int, begin: int, work: Work
    ) -> Iterator[Finding]:
        """Streams, rows and ledger. What is wrong with a stream is named by examining it."""
        unreadable: list[str] = []
        for part in CheckedPostgres(self._connection, since=begin).parts():
            for finding in part.findings:
                if finding.kind is check.Kind.UNREADABLE:
                    unreadable.append(finding.workflow_id)
                else:
                    yield from _of_check(finding)
            if part.step == "rows":
                work.folded(part.looked_at)
        for number, workflow_id in enumerate(unreadable):
            if number < EXAMINED:
                yield from self._examined(workflow_id, _signed_leaves(log, size)).findings
            else:
                yield Finding(Kind.UNREADABLE_EVENT, 0, "its events are damaged", workflow_id)

    def _rows(self, ids: Sequence[str]) -> Iterator[Finding]:
        for part in CheckedPostgres(self._connection).workflows(ids):
            for finding in part.findings:
                yield from _of_check(finding)

    def _examined(self, workflow_id: str, signed: Signed) -> Examined:
        return examine(stream_of(self._connection, workflow_id), decode, signed)


def _verified(log: KeptLog, signed: SignedCheckpoint) -> int:
    """Where a verification goes on: the beginning of a tile, 0 if it cannot go on."""
    before = log.verified()
    if before is None or before.checkpoint.size > signed.checkpoint.size:
        return 0
    with suppress(LogRefused):
        if log.tiles(before.checkpoint.size).root() == before.checkpoint.root:
            return before.checkpoint.size // WIDTH * WIDTH
    return 0


def _against_witnesses(log: KeptLog, signed: SignedCheckpoint) -> Iterator[Finding]:
    """How the log contradicts what witnesses cosigned."""
    try:
        cosigned = log.cosigned()
        met = [each for each in [*cosigned, signed] if log.policy.met_by(each.note)]
    except (LogRefused, NoteRefused) as refused:
        yield Finding(Kind.DAMAGED_LOG, 0, str(refused))
        return
    for seen in cosigned:
        size = seen.checkpoint.size
        names = ", ".join(log.policy.cosigners(seen.note))
        if size > signed.checkpoint.size:
            yield Finding(
                Kind.CUT_LOG,
                signed.checkpoint.size + 1,
                f"the log has {signed.checkpoint.size} events, and {names} cosigned {size}",
            )
            continue
        with suppress(LogRefused):  # Damaged tiles were named before.
            if log.tiles(size).root() != seen.checkpoint.root:
                yield Finding(
                    Kind.REWRITTEN_LOG,
                    1,
                    f"the first {size} events of the log are not those that {names} cosigned:"
                    " record and log were rewritten, and signed anew with the log's key",
                )
    if not met:
        yield Finding(Kind.NOT_COSIGNED, 0, "no checkpoint is cosigned as the policy asks")


def _signed_leaves(log: KeptLog | None, size: int) -> Signed:
    def signed(position: int) -> Leaf | None:
        try:
            return log.leaf(position, size) if log else None
        except (LogRefused, LeafUnreadable):  # It is named where the whole log is read.
            return None

    return signed


def _of_check(finding: check.Finding) -> Iterator[Finding]:
    if finding.kind in _OF_CHECK:
        kind, sentence = _OF_CHECK[finding.kind]
        description = sentence.format(finding.detail).removesuffix(": ")
        yield Finding(kind, finding.position, description, finding.workflow_id)


def _no_checkpoint(logs: Logs | None, end: FeedEnd) -> str:
    if logs is None:
        return "no log is kept: a cut tail or a history that was rewritten whole would not be seen"
    return f"the log of epoch {end.feed.epoch} has no checkpoint yet"


def _report(
    findings: Findings, end: FeedEnd, begin: int, signed: SignedCheckpoint | None
) -> FeedReport:
    covered = (
        f"a checkpoint of {signed.checkpoint.size} events" if signed else "no checkpoint at all"
    )
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
        str(signed.note) if signed else "",
    )
