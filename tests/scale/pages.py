"""First pages of what is large: a user with many workflows, a workflow with many events."""

from functools import partial

from workflows import history_pb2 as pb
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

from tests.benchmarks.growth_rows import BIG_USER
from tests.benchmarks.histories import with_history
from tests.scale.stage import Figure, Stage

WITHIN = 60.0  # seconds
TARGET = "below 50"
PAGE = 50
CHANGED = 200  # of the user's newest workflows change after the moment that is asked for


def lists(stage: Stage) -> list[Figure]:
    """The first page of a user's list: now, and at a moment after which its workflows changed."""
    newest = stage.service.client.page(BIG_USER).workflows
    before = stage.events
    for number in range(min(CHANGED, stage.sizes.owned)):
        listed = newest[number % len(newest)]
        stage.service.client.increment(listed.id, f"scale-{number}")
    return [
        _list(stage, "now", None),
        _list(stage, "before its newest workflows changed", pb.Moment(position=before)),
        _list(stage, "in the middle", pb.Moment(position=stage.sizes.owned // 2)),
    ]


def history(stage: Stage) -> list[Figure]:
    """The first page of a long history, from both ends."""
    count = stage.sizes.history
    stage.say(f"recording a workflow of {count:,} events")
    workflow_id = with_history(stage.dsn, count)
    return [
        _history(stage, workflow_id, "newest first", pb.ORDER_NEWEST_FIRST),
        _history(stage, workflow_id, "oldest first", pb.ORDER_OLDEST_FIRST),
    ]


def _list(stage: Stage, when: str, moment: pb.Moment | None) -> Figure:
    method = WorkflowHistoryServiceStub(stage.service.client.channel).ListWorkflowsAsOf
    asked = pb.ListWorkflowsAsOfRequest(user_id=BIG_USER, moment=moment)
    page = method(asked, timeout=WITHIN)
    assert len(page.workflows) == PAGE
    assert page.cursor
    what = f"first page of ListWorkflowsAsOf, {stage.sizes.owned:,} workflows, {when}"
    return Figure(what, stage.milliseconds(partial(method, asked, timeout=WITHIN)), "ms", TARGET)


def _history(stage: Stage, workflow_id: str, order: str, wanted: pb.Order.ValueType) -> Figure:
    method = WorkflowHistoryServiceStub(stage.service.client.channel).GetWorkflowHistory
    asked = pb.GetWorkflowHistoryRequest(id=workflow_id, order=wanted)
    page = method(asked, timeout=WITHIN)
    assert (len(page.events), page.version) == (PAGE, stage.sizes.history)
    what = f"first page of GetWorkflowHistory, {stage.sizes.history:,} events, {order}"
    return Figure(what, stage.milliseconds(partial(method, asked, timeout=WITHIN)), "ms", TARGET)
