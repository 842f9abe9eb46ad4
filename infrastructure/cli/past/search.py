"""`workflows search`: events across workflows, found by who caused them and what they changed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from workflows import history_pb2 as pb

from infrastructure.cli.options import Authorities, Json, Target
from infrastructure.cli.past.asking import WITHIN, Token, Utc, bearer, historian, plain
from infrastructure.cli.past.filters import Types, User, Workflow, types_of
from infrastructure.cli.past.moments import time_of
from infrastructure.cli.past.timeline import timeline
from infrastructure.cli.printing import console, print_line_of_json, styled
from infrastructure.client.target import DEFAULT_TARGET

if TYPE_CHECKING:
    from rich.text import Text

_LARGEST_PAGE = 1000
_OPTIONS = {
    "user_id": "--user",
    "workflow_id": "--workflow",
    "types": "--type",
    "actor": "--actor",
    "changed_field": "--field",
    "request_id": "--request",
    "trace_id": "--trace",
    "idempotency_key": "--key",
    "job_id": "--job",
    "since": "--since",
    "until": "--until",
}
"""The option that sets each field of the filter."""

Actor = Annotated[str, typer.Option(help="Who caused it; issuer|subject, with or without #token.")]
Field = Annotated[str, typer.Option("--field", help="A field that it changed, such as payload.")]
Request = Annotated[str, typer.Option("--request", help="Request id, with or without client:.")]
Trace = Annotated[str, typer.Option("--trace", help="Trace id.")]
Key = Annotated[str, typer.Option("--key", help="Idempotency key.")]
Job = Annotated[str, typer.Option("--job", help="Job id.")]
Since = Annotated[str | None, typer.Option(help="Recorded then or later; a time as in as-of --at.")]
Until = Annotated[str | None, typer.Option(help="Recorded before then.")]
OldestFirst = Annotated[bool, typer.Option("--oldest-first", help="Begin with the oldest.")]
Limit = Annotated[int, typer.Option(min=1, help="Most events to show.")]


def search(
    user: User = "",
    workflow: Workflow = "",
    types: Types = None,
    actor: Actor = "",
    changed_field: Field = "",
    request: Request = "",
    trace: Trace = "",
    key: Key = "",
    job: Job = "",
    since: Since = None,
    until: Until = None,
    oldest_first: OldestFirst = False,
    limit: Limit = 50,
    utc: Utc = False,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    ca: Authorities = None,
    as_json: Json = False,
) -> None:
    """Find events across workflows, deleted ones too; all options that are given must match.

    The answer says up to which position of the feed events can be found yet.

    \b
    Examples:
      workflows search --user alice --type deleted
      workflows search --job job-2 --utc
      workflows search --actor 'https://issuer.example|gateway' --field payload --since '1 day ago'
    """
    now = datetime.now(UTC)
    wanted = pb.EventFilter(
        user_id=user,
        workflow_id=workflow,
        types=types_of(types),
        actor=actor,
        changed_field=changed_field,
        request_id=request,
        trace_id=trace,
        idempotency_key=key,
        job_id=job,
        since=time_of(since, now) if since else None,
        until=time_of(until, now) if until else None,
    )
    order = pb.ORDER_OLDEST_FIRST if oldest_first else pb.ORDER_NEWEST_FIRST
    found = pb.SearchEventsResponse()
    with historian(target, ca) as service:
        asked = pb.SearchEventsRequest(filter=wanted, order=order)
        while True:
            asked.page_size = min(limit - len(found.events), _LARGEST_PAGE)
            page = service.SearchEvents(asked, timeout=WITHIN, metadata=bearer(token))
            found.MergeFrom(page)
            found.cursor = asked.cursor = page.cursor
            if not page.cursor or len(found.events) >= limit:
                break
    if as_json:
        print_line_of_json(plain(found))
        return
    out = console()
    for line in _lines(found, limit, utc=utc):
        out.print(line)


def _lines(found: pb.SearchEventsResponse, limit: int, *, utc: bool) -> Iterator["Text"]:
    yield from timeline(found.events, utc=utc, of_one=False)
    if found.cursor:
        yield styled(f"more events: --limit {2 * limit}", "yellow")
    elif not found.events:
        culprits = [_OPTIONS[each] for each in found.emptied_by]
        each_alone = f"; without {' or '.join(culprits)} there are some" if culprits else ""
        yield styled(f"no event matches{each_alone}", "yellow")
    complete = f"complete up to position {found.place.position} of feed {found.place.feed}"
    yield styled(f"{len(found.events):,} events · {complete}", "dim")
