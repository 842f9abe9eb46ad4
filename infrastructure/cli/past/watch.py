"""`workflows watch`: events as they are recorded, one after the other, without a gap."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from workflows import history_pb2 as pb

from infrastructure.cli.options import Authorities, Json, Target
from infrastructure.cli.past.asking import Token, Utc, bearer, historian, plain
from infrastructure.cli.past.filters import Types, User, Workflow, types_of
from infrastructure.cli.past.timeline import timeline
from infrastructure.cli.printing import console, print_line_of_json
from infrastructure.client.target import DEFAULT_TARGET

if TYPE_CHECKING:
    from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

_AGAIN_AFTER = 0.5  # seconds
_GIVE_UP_AFTER = 60.0  # seconds without a response, after which a broken watch is not resumed

After = Annotated[
    int, typer.Option(min=-1, help="Begin after this position; 0 is the beginning, -1 the end.")
]
Count = Annotated[int | None, typer.Option(min=1, help="End after so many events.")]


def watch(
    user: User = "",
    workflow: Workflow = "",
    types: Types = None,
    after: After = -1,
    count: Count = None,
    utc: Utc = False,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    ca: Authorities = None,
    as_json: Json = False,
) -> None:
    """Show events as they are recorded, in order; with --json, a line for each.

    If the connection or the server ends, the watch goes on where it was. After Ctrl-C, the command
    says how to go on.

    \b
    Examples:
      workflows watch
      workflows watch --user alice --type terminated --type deleted
      workflows watch --after 0 --count 100 --json
    """
    wanted = pb.EventFilter(user_id=user, workflow_id=workflow, types=types_of(types))
    asked = pb.WatchEventsRequest(after=after, filter=wanted)
    out = console()
    shown, last = 0, after
    try:
        with historian(target, ca) as service:
            for event in _events(service, asked, token):
                if as_json:
                    print_line_of_json(plain(event))
                else:
                    for line in timeline([event], utc=utc, of_one=False):
                        out.print(line)
                shown, last = shown + 1, event.position
                if shown == count:
                    return
    except KeyboardInterrupt:
        typer.echo(f"to go on, with the same options: --after {last}", err=True)
        raise


def _events(
    service: "WorkflowHistoryServiceStub", asked: pb.WatchEventsRequest, token: str
) -> Iterator[pb.Event]:
    """The events; a watch that breaks off is resumed."""
    import grpc  # noqa: PLC0415 - a wrong command line is refused without waiting for it

    from infrastructure.client.channel import has_code  # noqa: PLC0415 - as above

    passing = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    heard: float | None = None
    while True:
        try:
            for response in service.WatchEvents(asked, metadata=bearer(token)):
                heard = time.monotonic()
                yield from response.events
                asked.cursor = response.cursor  # What was shown, is not shown again.
        except grpc.RpcError as ended:
            lasting = heard is None or time.monotonic() > heard + _GIVE_UP_AFTER
            if lasting or not has_code(ended, *passing):
                raise
            time.sleep(_AGAIN_AFTER)
