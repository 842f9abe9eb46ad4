"""From answers about the past to replies of the history's contract."""

from datetime import datetime

from google.protobuf.struct_pb2 import Value as ValueMessage
from google.protobuf.timestamp_pb2 import Timestamp
from workflows import history_pb2 as pb

from application.history.entries import Entry
from application.history.proofs import CheckpointNow, EventProof
from application.history.results import Difference, HistoryPage, ListThen, WorkflowThen
from application.history.whatif import Hypothesis
from application.ports import UNKNOWN_ERASURE, ErasureMark, EventMetadata, Place
from application.progress import Progress
from domain.diffs import FieldChange, Value
from domain.workflow import Workflow
from infrastructure.rpc.errors import refusal_of
from infrastructure.rpc.method import Rendered
from infrastructure.rpc.workflows.render import fill, timestamp

FIELDS = {
    "failures": "consecutive_job_failures_count",
    "max_failures": "max_consecutive_job_failures_allowed",
}
"""The names of WorkflowState that differ from those of Workflow."""


def history(page: HistoryPage) -> Rendered:
    """A page of a workflow's history."""
    return pb.GetWorkflowHistoryResponse(
        events=[event(each, page.checkpoint_size) for each in page.entries],
        cursor=page.cursor,
        version=page.version,
        place=place(page.place),
    ), ()


def as_of(then: WorkflowThen) -> Rendered:
    """A workflow at a moment."""
    message = pb.GetWorkflowAsOfResponse(version=then.version, place=place(then.place))
    if isinstance(then.workflow, ErasureMark):
        message.erased.CopyFrom(_erased(then.workflow))
    else:
        message.workflow.CopyFrom(state(then.workflow_id, then.workflow))
    return message, ()


def diff(difference: Difference) -> Rendered:
    """What differs between two versions."""
    message = pb.DiffWorkflowResponse(
        from_version=difference.from_version,
        to_version=difference.to_version,
        place=place(difference.place),
    )
    if isinstance(difference.changes, ErasureMark):
        message.erased.CopyFrom(_erased(difference.changes))
    else:
        message.changes.extend(map(change, difference.changes))
    return message, ()


def list_as_of(then: ListThen) -> Rendered:
    """A page of a list at a moment."""
    message = pb.ListWorkflowsAsOfResponse(cursor=then.cursor, place=place(then.place))
    fill(message.workflows.add, then.workflows)
    return message, ()


def what_if(hypothesis: Hypothesis) -> Rendered:
    """What a command would record."""
    message = pb.WhatIfResponse(
        events=[event(each) for each in hypothesis.events], place=place(hypothesis.place)
    )
    if hypothesis.workflow is not None:
        message.workflow.CopyFrom(state(hypothesis.workflow_id, hypothesis.workflow))
    if hypothesis.refusal is not None:
        refusal = refusal_of(hypothesis.refusal)
        message.refusal.code = refusal.code.name
        message.refusal.reason = refusal.reason
        message.refusal.message = refusal.text()
    return message, ()


def proof(found: EventProof) -> Rendered:
    """A proof of an event."""
    return pb.GetProofResponse(
        proof=found.inclusion.proof,
        leaf=found.inclusion.text,
        event=event(found.entry, found.inclusion.size),
        place=place(found.place),
    ), ()


def checkpoint(now: CheckpointNow) -> Rendered:
    """The newest checkpoint."""
    signed = now.signed
    return pb.GetCheckpointResponse(
        checkpoint=signed.note,
        origin=signed.origin,
        size=signed.size,
        root=signed.root,
        signed_at=_time(signed.signed_at),
        policy=signed.policy,
        cosigned_by=signed.cosigned_by,
        place=place(now.place),
    ), ()


def event(entry: Entry, checkpoint_size: int = 0) -> pb.Event:
    """One event; `checkpoint_size` is the size of the newest signed checkpoint, 0 if none."""
    recorded = entry.event
    message = pb.Event(
        position=recorded.position,
        workflow_id=recorded.workflow_id,
        version=recorded.version,
        type=pb.EventType.Value(f"EVENT_TYPE_{recorded.type.upper()}"),
        recorded_at=_time(recorded.recorded_at),
        changes=map(change, entry.changes),
        digest=recorded.digest,
        checkpoint_size=checkpoint_size if recorded.position <= checkpoint_size else 0,
    )
    if isinstance(recorded.metadata, EventMetadata):
        message.cause.CopyFrom(_cause(entry, recorded.metadata))
    else:
        message.erased.CopyFrom(_erased(entry.erasure or UNKNOWN_ERASURE))
    return message


def _erased(mark: ErasureMark) -> pb.ErasedContent:
    message = pb.ErasedContent(receipt_id=mark.receipt_id)
    if mark.erased_at is not None:
        message.erased_at.CopyFrom(_time(mark.erased_at))
    return message


def _cause(entry: Entry, metadata: EventMetadata) -> pb.Cause:
    origin = metadata.origin
    return pb.Cause(
        actor=origin.actor,
        acted_for=origin.acted_for,
        method=origin.method,
        request_id=origin.request_id,
        trace_id=origin.trace_id,
        idempotency_key=metadata.idempotency_key,
        job_id=getattr(entry.event.event, "job_id", ""),
        policy=metadata.policy,
        preceding_position=entry.preceding_position,
        reason=entry.reason,
    )


def change(given: FieldChange) -> pb.FieldChange:
    """A field that differs; a value that is missing is absent."""
    message = pb.FieldChange(field=FIELDS.get(given.field, given.field))
    if given.before is not None:
        _fill(message.before, given.before)
    if given.after is not None:
        _fill(message.after, given.after)
    return message


def state(workflow_id: str, workflow: Workflow) -> pb.WorkflowState:
    """A workflow with all its fields."""
    message = pb.WorkflowState(
        id=workflow_id,
        user_id=workflow.user_id,
        name=workflow.name,
        payload=workflow.payload,
        kind=workflow.kind,
        build_status=workflow.build_status,
        interval=workflow.interval,
        consecutive_job_failures_count=workflow.failures,
        max_consecutive_job_failures_allowed=workflow.max_failures,
        log_retention=workflow.log_retention,
        generation=workflow.generation,
        created_at=_time(workflow.created_at),
        updated_at=_time(workflow.updated_at),
    )
    if workflow.terminated_at is not None:
        message.terminated_at.CopyFrom(_time(workflow.terminated_at))
    if workflow.deleted_at is not None:
        message.deleted_at.CopyFrom(_time(workflow.deleted_at))
    return message


def place(given: Place) -> pb.Place:
    """Where an answer was true."""
    return pb.Place(position=given.position, feed=str(given.feed))


def progress_of(progress: Progress) -> pb.Progress:
    """How far a long piece of work has come."""
    shown = pb.Progress(done=progress.done, total=progress.total, rate=progress.rate)
    if progress.remaining is not None:
        shown.remaining.FromNanoseconds(int(progress.remaining * 1e9))
    return shown


def _fill(message: ValueMessage, value: Value) -> None:
    """Filled in place: an event has a dozen of them, and a copy takes longer than the rest."""
    match value:
        case str():
            message.string_value = value
        case bool():
            message.bool_value = value
        case int():
            message.number_value = value
        case datetime():
            message.string_value = timestamp(value)


def _time(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message
