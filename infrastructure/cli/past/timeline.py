"""The events of a workflow as a timeline: when, who, what, before and after, and why."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from workflows import history_pb2 as pb

from infrastructure.cli.past.values import change_lines, erased_text, time_text
from infrastructure.cli.printing import styled

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = {
    pb.EVENT_TYPE_CREATED: "bold green",
    pb.EVENT_TYPE_UPDATED: "bold cyan",
    pb.EVENT_TYPE_BUILD_STATUS_CHANGED: "bold blue",
    pb.EVENT_TYPE_FAILURE_INCREMENTED: "bold yellow",
    pb.EVENT_TYPE_RESET: "bold green",
    pb.EVENT_TYPE_TERMINATED: "bold red",
    pb.EVENT_TYPE_DELETED: "bold red",
}


def timeline(events: Sequence[pb.Event], *, utc: bool, of_one: bool = True) -> Iterator["Text"]:
    """The lines of all events, with an empty line after each.

    Unless all are `of_one` workflow, each event names its own.
    """
    for event in events:
        yield _heading(event, utc=utc)
        if not of_one:
            yield styled("      ").append_text(_pair("of ", event.workflow_id))
        for line in _content(event, utc=utc):
            yield styled("      ").append_text(line)
        yield styled("")


def _heading(event: pb.Event, *, utc: bool) -> "Text":
    name = pb.EventType.Name(event.type).removeprefix("EVENT_TYPE_").replace("_", " ").lower()
    line = styled(f"{event.version:>4}  ", "bold")
    line.append_text(styled(name, _STYLES.get(event.type, "bold")))
    line.append_text(styled(f"  {time_text(event.recorded_at, utc=utc)}"))
    place = f"  position {event.position}" if event.position else ""
    line.append_text(styled(place, "dim"))
    proof = f"  ✓ in a checkpoint of {event.checkpoint_size:,}" if event.checkpoint_size else ""
    return line.append_text(styled(proof, "green"))


def _content(event: pb.Event, *, utc: bool) -> Iterator["Text"]:
    if event.HasField("erased"):
        yield styled(erased_text(event.erased, utc=utc), "yellow")
        return
    yield _pair("who", _who(event.cause))
    yield _pair("why", _why(event.cause))
    yield from change_lines(event.changes, utc=utc)


def _pair(name: str, text: str) -> "Text":
    return styled(f"{name}  ", "bold").append_text(styled(text))


def _who(cause: pb.Cause) -> str:
    behalf = f" on behalf of {cause.acted_for}" if cause.acted_for else ""
    return f"{cause.actor}{behalf} by {cause.method}"


def _why(cause: pb.Cause) -> str:
    """The sentence, and what leads to other records: request, trace, key, job and rule."""
    parts = [
        cause.reason,
        f"request {cause.request_id}" if cause.request_id else "",
        f"trace {cause.trace_id}" if cause.trace_id else "",
        f"key {cause.idempotency_key}" if cause.idempotency_key else "",
        f"follows position {cause.preceding_position}" if cause.preceding_position else "",
    ]
    return " · ".join(part for part in parts if part)
