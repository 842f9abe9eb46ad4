"""`workflows verify`: whether the record, or one workflow, is what was recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from google.protobuf.json_format import MessageToDict
from workflows import history_pb2 as pb

from application.progress import Progress
from infrastructure.cli.options import Json, Target
from infrastructure.cli.past.asking import WITHIN, Owner, Token, bearer, historian
from infrastructure.cli.past.values import place_text
from infrastructure.cli.printing import console, print_line_of_json, print_table, styled
from infrastructure.cli.progress import ProgressLine
from infrastructure.cli.refusing import MISUSED, REFUSED, CommandFailed, misused
from infrastructure.client.target import DEFAULT_TARGET

if TYPE_CHECKING:
    from rich.text import Text

UNSHOWN = 3  # exit code: nothing is known to be damaged, but not all could be shown
_WITHIN = 24 * 3600.0  # seconds: a feed may be long
_HEADINGS = ("what", "position", "workflow", "version", "why")

Workflow = Annotated[str, typer.Option("--workflow", metavar="ID", help="Only this workflow.")]
SinceLast = Annotated[
    bool,
    typer.Option(
        "--since-last", help="Only what follows the last verification that found nothing."
    ),
]


def verify(
    workflow: Workflow = "",
    user: Owner = "",
    since_last: SinceLast = False,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    as_json: Json = False,
) -> None:
    """Verify that nothing in the record was changed, and that nothing is missing.

    Every event is hashed again and compared with the log of signed checkpoints, with what witnesses
    cosigned, with its workflow's chain, with its row and with the ledger. Two verdicts follow:
    integrity (what is there is what was recorded) and completeness (nothing is missing).

    Ends with 0 if both hold, 1 if damage was found, and 3 if it could not be said: no log is kept,
    no checkpoint is cosigned or new enough, or the service did not answer.

    \b
    Examples:
      workflows verify
      workflows verify --since-last --json
      workflows verify --workflow 0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f
    """
    if workflow and since_last:
        misused("A workflow is verified whole: leave out --since-last.")
    if user and not workflow:
        misused("A user owns workflows: add --workflow ID.")
    with _unshown():
        if workflow:
            asked = pb.VerifyWorkflowRequest(id=workflow, user_id=user)
            with historian(target) as service:
                found = service.VerifyWorkflow(asked, timeout=WITHIN, metadata=bearer(token))
            _show(found, f"workflow {workflow}", as_json=as_json)
        else:
            report = _feed_report(since_last, target, token)
            first = report.from_position
            _show(report, f"the feed from position {first} on", as_json=as_json)


@contextmanager
def _unshown() -> Iterator[None]:
    """A call that fails finds no damage: it ends the command with another code."""
    try:
        yield
    except CommandFailed as failed:
        if failed.exit_code == MISUSED:
            raise
        raise CommandFailed(failed.failure, UNSHOWN, failed.heading) from None


def _feed_report(since_last: bool, target: str, token: str) -> pb.FeedReport:
    line = ProgressLine()
    report = pb.FeedReport()
    with historian(target) as service:
        asked = pb.VerifyFeedRequest(since_last=since_last)
        for response in service.VerifyFeed(asked, timeout=_WITHIN, metadata=bearer(token)):
            if response.HasField("progress"):
                line(_progress(response.progress))
            else:
                report = response.report
    line.end()
    return report


def _progress(shown: pb.Progress) -> Progress:
    seconds = shown.done / shown.rate if shown.rate else 0.0
    return Progress("verify", shown.done, shown.total, shown.done, seconds)


def _show(
    report: pb.FeedReport | pb.VerifyWorkflowResponse, subject: str, *, as_json: bool
) -> None:
    verdicts = {"integrity": report.integrity, "completeness": report.completeness}
    if as_json:
        print_line_of_json(
            MessageToDict(
                report,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
        )
    else:
        out = console()
        out.print(styled(f"verified {report.events:,} events of {subject}", "bold"))
        out.print(styled(place_text(report.place), "dim"))
        for name, verdict in verdicts.items():
            out.print()
            out.print(styled(f"{name:<13} ", "bold").append_text(_word(verdict)))
            out.print(styled(verdict.summary, "dim"))
            _show_findings(verdict)
    if any(verdict.damaged for verdict in verdicts.values()):
        raise typer.Exit(REFUSED)
    if not all(verdict.holds for verdict in verdicts.values()):
        raise typer.Exit(UNSHOWN)


def _word(verdict: pb.Verdict) -> "Text":
    if verdict.holds:
        return styled("holds", "bold green")
    faults = f"{verdict.faults:,} {'fault' if verdict.faults == 1 else 'faults'}"
    if verdict.damaged:
        return styled(f"DAMAGED, {faults}", "bold red")
    return styled("could not be shown", "bold yellow")


def _show_findings(verdict: pb.Verdict) -> None:
    if not verdict.findings:
        return
    print_table(_HEADINGS, [_row(finding) for finding in verdict.findings])
    rest = verdict.faults - len(verdict.findings)
    if rest > 0:
        console().print(styled(f"and {rest:,} more", "yellow"))


def _row(finding: pb.Finding) -> list["Text"]:
    return [
        styled(finding.kind, "bold red"),
        styled(f"{finding.position:,}" if finding.position else ""),
        styled(finding.workflow_id),
        styled(str(finding.version) if finding.version else ""),
        styled(finding.description),
    ]
