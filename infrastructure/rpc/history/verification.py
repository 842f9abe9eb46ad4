"""Requests for verification, its progress, and its verdicts, as the history's contract has them."""

from workflows import history_pb2 as pb

from application.history.questions import Subject
from application.ports import Place
from application.progress import Progress
from application.verification.answers import VerifyFeed, VerifyWorkflow
from application.verification.findings import FeedReport, Finding, Verdict, WorkflowReport
from infrastructure.rpc.history.render import place, progress_of
from infrastructure.rpc.method import Rendered, Surroundings
from infrastructure.rpc.workflows import convert as workflows


def verify_workflow(request: pb.VerifyWorkflowRequest, _: Surroundings) -> VerifyWorkflow:
    """A question for the verdicts on a workflow. Raises InvalidFields."""
    return VerifyWorkflow(Subject(workflows.workflow_id(request.id), request.user_id))


def verify_feed(request: pb.VerifyFeedRequest, _: Surroundings) -> VerifyFeed:
    """A question for the verdicts on the feed."""
    return VerifyFeed(request.since_last)


def workflow_report(report: WorkflowReport) -> Rendered:
    """The verdicts on a workflow."""
    return pb.VerifyWorkflowResponse(
        integrity=_verdict(report.integrity),
        completeness=_verdict(report.completeness),
        events=report.events,
        place=place(Place(report.position, report.feed)),
    ), ()


def feed_progress(progress: Progress) -> pb.VerifyFeedResponse:
    """How far the verification of the feed has come."""
    return pb.VerifyFeedResponse(progress=progress_of(progress))


def feed_report(report: FeedReport) -> pb.VerifyFeedResponse:
    """The verdicts on the feed."""
    return pb.VerifyFeedResponse(
        report=pb.FeedReport(
            integrity=_verdict(report.integrity),
            completeness=_verdict(report.completeness),
            events=report.events,
            from_position=report.from_position,
            place=place(Place(report.position, report.feed)),
            checkpoint=report.checkpoint,
        )
    )


def _verdict(verdict: Verdict) -> pb.Verdict:
    return pb.Verdict(
        holds=verdict.holds,
        findings=map(_finding, verdict.findings),
        faults=verdict.faults,
        summary=verdict.summary,
        damaged=verdict.damaged,
    )


def _finding(finding: Finding) -> pb.Finding:
    return pb.Finding(
        kind=finding.kind.value,
        position=finding.position,
        workflow_id=finding.workflow_id,
        version=finding.version,
        description=finding.description,
    )
