"""How values, times and changes of the past are shown to people."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from workflows import history_pb2 as pb

from infrastructure.cli.printing import styled

if TYPE_CHECKING:
    from rich.text import Text

NONE = "none"
_LONGEST = 200  # characters of a value; --json shows the whole


def time_text(time: Timestamp, *, utc: bool) -> str:
    """A time to the microsecond, with its zone."""
    found = time.ToDatetime(tzinfo=UTC)
    shown = found if utc else found.astimezone()
    return shown.isoformat(" ", "microseconds").replace("+00:00", "Z")


def erased_text(erased: pb.ErasedContent, *, utc: bool) -> str:
    """What stands in place of content that was erased."""
    when = "is being erased"
    if erased.HasField("erased_at"):
        when = f"erased on {time_text(erased.erased_at, utc=utc)}"
    elif not erased.receipt_id:
        return "[erased, no receipt is known]"
    return f"[{when}, receipt {erased.receipt_id}]"


def shortened(text: str) -> str:
    """A text of which only the beginning is shown if it is long."""
    rest = len(text) - _LONGEST
    return f"{text[:_LONGEST]}… ({rest:,} characters more)" if rest > 0 else text


def change_lines(changes: Iterable[pb.FieldChange], *, utc: bool) -> Iterator["Text"]:
    """A line a field: its name, the value before in red, the value after in green."""
    found = list(changes)
    width = max((len(each.field) for each in found), default=0)
    for each in found:
        line = styled(f"{each.field:<{width}}  ", "cyan")
        if each.HasField("before"):
            line.append_text(styled(_shown(each, each.before, utc=utc), "red"))
            line.append_text(styled(" → ", "dim"))
        after = _shown(each, each.after, utc=utc) if each.HasField("after") else NONE
        yield line.append_text(styled(after, "green"))


def state_lines(workflow: pb.WorkflowState, *, utc: bool) -> Iterator["Text"]:
    """A line for each field that has a value: its name, and the value."""
    fields = _fields(workflow, utc=utc)
    width = max(map(len, fields))
    for name, value in fields.items():
        yield styled(f"{name:<{width}}  ", "cyan").append_text(styled(value))


def _fields(workflow: pb.WorkflowState, *, utc: bool) -> dict[str, str]:
    found = {}
    for field in workflow.DESCRIPTOR.fields:
        value = getattr(workflow, field.name)
        match value:
            case Timestamp():
                if workflow.HasField(field.name):  # type: ignore[arg-type] # names one of its times
                    found[field.name] = time_text(value, utc=utc)
            case bool():
                found[field.name] = "yes" if value else "no"
            case _:
                found[field.name] = shortened(str(value))
    return found


def place_text(place: pb.Place) -> str:
    """Where an answer was true."""
    return f"true at position {place.position} of feed {place.feed}"


def moment_text(moment: datetime, *, utc: bool) -> str:
    """A time as `time_text` shows it."""
    time = Timestamp()
    time.FromDatetime(moment)
    return time_text(time, utc=utc)


def _shown(change: pb.FieldChange, value: Value, *, utc: bool) -> str:
    match value.WhichOneof("kind"):
        case "bool_value":
            return "yes" if value.bool_value else "no"
        case "number_value":
            return (
                f"{value.number_value:g}"
                if value.number_value % 1
                else str(int(value.number_value))
            )
        case "string_value" if change.field.endswith("_at"):
            return moment_text(datetime.fromisoformat(value.string_value), utc=utc)
    return shortened(value.string_value)
