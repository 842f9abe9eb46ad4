"""`workflows seed`: example workflows with real histories, recorded by calls to the service."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text
from workflows import workflows_pb2 as pb
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

from infrastructure.cli.options import Authorities, Json, Target, TokenFile
from infrastructure.cli.printing import console, print_line_of_json, print_table, styled
from infrastructure.cli.program import program
from infrastructure.cli.refusing import calls_to
from infrastructure.cli.seed.stories import Story, stories
from infrastructure.cli.seed.storyteller import ANSWER_WITHIN, Storyteller
from infrastructure.client.channel import connected
from infrastructure.client.target import DEFAULT_TARGET

Listed = Mapping[str, Sequence[pb.WorkflowsByUserIDResponse]]


def seed(
    target: Target = DEFAULT_TARGET,
    ca: Authorities = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Fill the service with example workflows of three users.

    Running it again changes nothing, and finishes what was interrupted.

    \b
    Examples:
      workflows seed
      workflows seed --target 127.0.0.1:50053 --json
    """
    told = stories()
    with calls_to(target), connected(target, ca, token_file) as channel:
        service = WorkflowsServiceStub(channel)
        recorded = _tell(Storyteller(service), told, quiet=as_json)
        listed = {user: list(_all(service, user)) for user in sorted({s.user for s in told})}
    if as_json:
        _print_json(target, recorded, listed)
    else:
        _print(target, recorded, listed)


def _tell(teller: Storyteller, told: Sequence[Story], *, quiet: bool) -> int:
    """Records the stories, with progress on a terminal; returns how many steps were new."""
    recorded = 0
    with _progress(quiet=quiet) as progress:
        task = progress.add_task("seeding", total=sum(1 + len(s.steps) for s in told), rate="")
        for story in told:
            recorded += teller.tell(story)
            progress.advance(task, 1 + len(story.steps))
            speed = progress.tasks[task].speed
            progress.update(task, rate=f"{speed:.0f} calls/s" if speed else "")
    return recorded


def _progress(*, quiet: bool) -> Progress:
    out = console(errors=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=out,
        transient=True,
        disable=quiet or not out.is_terminal,
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
        f"""{program()} call ListWorkflows '{{"user_id": "{user}"}}'{there}""",
        *(f"""{program()} call GetWorkflowByID '{{"id": "{w.id}"}}'{there}""" for w in newest),
    ]


def _print_json(target: str, recorded: int, listed: Listed) -> None:
    workflows = {user: [_plain(w) for w in theirs] for user, theirs in listed.items()}
    facts = {"target": target, "recorded": recorded, "workflows": workflows}
    print_line_of_json(facts | {"next": list(_next(target, listed))})


def _plain(workflow: pb.WorkflowsByUserIDResponse) -> dict[str, Any]:
    return MessageToDict(
        workflow, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _print(target: str, recorded: int, listed: Listed) -> None:
    rows = [
        (styled(user), *_cells(workflow)) for user, theirs in listed.items() for workflow in theirs
    ]
    print_table(("user", "workflow", "kind", "every", "build", "failures", "state"), rows)
    out = console()
    news = f"{recorded} steps recorded." if recorded else "Nothing to do: all of it was there."
    out.print(f"{len(rows)} workflows. {news} Deleted ones are not listed; their history stays.")
    out.print(styled("Try next:", "bold"))
    for line in _next(target, listed):
        out.print(styled(f"  {line}", "cyan"))


def _cells(workflow: pb.WorkflowsByUserIDResponse) -> Iterator[Text]:
    failures = workflow.consecutive_job_failures_count
    allowed = workflow.max_consecutive_job_failures_allowed
    builds = {"success": "green", "failed": "red", "building": "yellow"}
    yield styled(workflow.name)
    yield styled(workflow.kind)
    yield styled(_duration(workflow.interval))
    yield styled(workflow.build_status, builds.get(workflow.build_status, ""))
    yield styled(f"{failures} of {allowed}", "red" if failures >= allowed else "")
    yield styled("terminated", "red") if workflow.terminated_at else styled("active", "green")


def _duration(minutes: int) -> str:
    """Minutes in the largest unit that leaves no rest."""
    for size, unit in ((1440, "d"), (60, "h")):
        if minutes % size == 0:
            return f"{minutes // size} {unit}"
    return f"{minutes} min"
