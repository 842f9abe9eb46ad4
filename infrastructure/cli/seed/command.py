"""`workflows seed`: example workflows with real histories, told through the service itself."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text
from workflows import workflows_pb2 as pb
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

from infrastructure.cli.options import Json, Target
from infrastructure.cli.rendering import failures_shown
from infrastructure.cli.seed.stories import Story, stories
from infrastructure.cli.seed.storyteller import ANSWER_WITHIN, Storyteller
from infrastructure.client.channel import connected
from infrastructure.client.target import DEFAULT_TARGET

Listed = Mapping[str, Sequence[pb.WorkflowsByUserIDResponse]]


def seed(target: Target = DEFAULT_TARGET, as_json: Json = False) -> None:
    """Fill the service with example workflows of three users.

    Running it again changes nothing, and finishes what was interrupted.

    [bold]Examples[/bold]

    workflows seed

    workflows seed --target 127.0.0.1:50053 --json
    """
    told = stories()
    with failures_shown(target, as_json=as_json), connected(target) as channel:
        service = WorkflowsServiceStub(channel)
        recorded = _tell(Storyteller(service), told, quiet=as_json)
        listed = {user: list(_all(service, user)) for user in sorted({s.user for s in told})}
    if as_json:
        _print_json(target, recorded, listed)
    else:
        _print(target, recorded, listed)


def _tell(teller: Storyteller, told: Sequence[Story], *, quiet: bool) -> int:
    """Tells the stories with progress on a terminal; how many steps were news to the service."""
    console = Console(stderr=True)
    recorded = 0
    with _progress(console, quiet=quiet) as progress:
        task = progress.add_task("seeding", total=sum(1 + len(s.steps) for s in told), rate="")
        for story in told:
            recorded += teller.tell(story)
            progress.advance(task, 1 + len(story.steps))
            speed = progress.tasks[task].speed
            progress.update(task, rate=f"{speed:.0f} calls/s" if speed else "")
    return recorded


def _progress(console: Console, *, quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )


def _all(service: WorkflowsServiceStub, user: str) -> Iterator[pb.WorkflowsByUserIDResponse]:
    """Every workflow that a user has, newest first."""
    request = pb.ListWorkflowsRequest(user_id=user)
    while True:
        page = service.ListWorkflows(request, timeout=ANSWER_WITHIN)
        yield from page.workflows
        if not page.cursor:
            return
        request.cursor = page.cursor


def _next(target: str, listed: Listed) -> Sequence[str]:
    """What to try after seeding."""
    there = "" if target == DEFAULT_TARGET else f" --target {target}"
    user = min(listed)
    newest = listed[user][:1]
    return [
        f"""workflows call ListWorkflows '{{"user_id": "{user}"}}'{there}""",
        *(f"""workflows call GetWorkflowByID '{{"id": "{w.id}"}}'{there}""" for w in newest),
    ]


def _print_json(target: str, recorded: int, listed: Listed) -> None:
    workflows = {user: [_plain(w) for w in theirs] for user, theirs in listed.items()}
    facts = {"target": target, "recorded": recorded, "workflows": workflows}
    Console().print_json(data=facts | {"next": list(_next(target, listed))})


def _plain(workflow: pb.WorkflowsByUserIDResponse) -> dict[str, Any]:
    return MessageToDict(
        workflow, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _print(target: str, recorded: int, listed: Listed) -> None:
    console = Console()
    console.print(_table(listed))
    news = f"{recorded} steps recorded." if recorded else "Nothing to do: all of it was there."
    console.print(Text(f"{news} Deleted workflows are not listed; their history stays."))
    console.print(Text("Try next:", "bold"))
    for line in _next(target, listed):
        console.print(Text(f"  {line}", "cyan"), soft_wrap=True)


def _table(listed: Listed) -> Table:
    table = Table(box=SIMPLE_HEAD, show_footer=True, padding=(0, 1, 0, 0))
    table.add_column("user")
    table.add_column("workflow", footer=f"{sum(map(len, listed.values()))} in all")
    table.add_column("kind")
    table.add_column("every", justify="right")
    table.add_column("build")
    table.add_column("failures", justify="right")
    table.add_column("state")
    for user, theirs in listed.items():
        for index, workflow in enumerate(theirs):
            table.add_row("" if index else user, *_cells(workflow))
        table.add_section()
    return table


def _cells(workflow: pb.WorkflowsByUserIDResponse) -> Iterator[Text]:
    failures = workflow.consecutive_job_failures_count
    allowed = workflow.max_consecutive_job_failures_allowed
    builds = {"success": "green", "failed": "red", "building": "yellow"}
    yield Text(workflow.name)
    yield Text(workflow.kind)
    yield Text(_duration(workflow.interval))
    yield Text(workflow.build_status, builds.get(workflow.build_status, ""))
    yield Text(f"{failures} of {allowed}", "red" if failures >= allowed else "")
    yield Text("terminated", "red") if workflow.terminated_at else Text("active", "green")


def _duration(minutes: int) -> str:
    """Minutes in the largest unit that leaves no rest."""
    for size, unit in ((1440, "d"), (60, "h")):
        if minutes % size == 0:
            return f"{minutes // size} {unit}"
    return f"{minutes} min"
