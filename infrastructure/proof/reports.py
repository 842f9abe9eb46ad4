"""The verdicts of a verification, and what was checked, in sentences."""

from application.ports import FeedEnd
from application.verification.findings import FeedReport, Findings, WorkflowReport
from infrastructure.proof.logs import Logs
from infrastructure.proof.signedlog import SignedLog


def feed_report(findings: Findings, end: FeedEnd, begin: int, log: SignedLog | None) -> FeedReport:
    """The verdicts on the feed after the position `begin`."""
    since = f"from position {begin + 1} on" if begin else "from the beginning"
    return FeedReport(
        findings.integrity(
            f"Events {since} to {end.position}: bytes, content, chains, rows and ledger, against"
            f" each other and {_covered(log)}."
        ),
        findings.completeness(
            f"Positions {begin + 1} to {end.position} without a gap, against {_covered(log)}."
        ),
        max(0, end.position - begin),
        begin + 1,
        end.position,
        end.feed,
        log.note if log else "",
    )


def workflow_report(
    findings: Findings, end: FeedEnd, log: SignedLog | None, events: int
) -> WorkflowReport:
    """The verdicts on a workflow with so many events."""
    return WorkflowReport(
        findings.integrity(
            "Bytes, content, chain and row of the workflow were compared with each other, and each"
            f" event with {_covered(log)}."
        ),
        findings.completeness(
            "Versions follow one another. Whether the last events were cut off together with the"
            " row, and whether the ledger fits, only the verification of the feed shows."
        ),
        events,
        end.position,
        end.feed,
    )


def no_checkpoint(logs: Logs | None, epoch: int) -> str:
    """Why nothing outside the database says what it held."""
    if logs is None:
        return "no log is kept: a cut tail or a history that was rewritten whole would not be seen"
    epochs = logs.epochs()
    newest = f"; the newest log is that of epoch {epochs[-1]}" if epochs else ""
    return f"the log of epoch {epoch}, which is the database's, has no checkpoint{newest}"


def _covered(log: SignedLog | None) -> str:
    return f"a checkpoint of {log.size} events" if log else "no checkpoint at all"
