"""How failures are shown to people: what is wrong, in which field, and what to do next."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infrastructure import printable
from infrastructure.cli.printing import console
from infrastructure.client.failures import Detail, Failure

Rows = Sequence[tuple[str, str]]


def show(failure: Failure, heading: str = "") -> None:
    """Prints a failure on stderr. The heading, such as a status's name, stands on its own line."""
    from rich.text import Text  # noqa: PLC0415 - a command that succeeds needs no colours

    out = console(errors=True)
    reasons = [printable.line(str(d["reason"])) for d in failure.details if d.get("reason")]
    title = Text.assemble(("error", "bold red"), " ")
    if heading:
        title.append(heading, "bold").append(f" ({', '.join(reasons)})" if reasons else "")
        out.print(title)
        title = Text()
    if failure.message and not _says_the_same(failure):
        out.print(title.append(printable.text(failure.message)))
    rows = [row for detail in failure.details for row in _rows(detail)]
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        shown = f"  {printable.line(label):<{width}}"
        out.print(Text.assemble((shown, "bold"), "  ", printable.line(value)))
    if failure.hint:
        out.print(Text(printable.text(failure.hint), "yellow"))


def _says_the_same(failure: Failure) -> bool:
    """Whether the message only strings together the field violations that are shown below it."""
    violations = [v for d in failure.details for v in d.get("field_violations", ())]
    return bool(violations) and failure.message == "; ".join(
        v.get("description", "") for v in violations
    )


def _rows(detail: Detail) -> Rows:
    fields = {name: value for name, value in detail.items() if name != "type"}
    render = _RENDERERS.get(detail["type"].removeprefix("google.rpc."))
    return render(fields) if render else [(detail["type"], str(fields))]


def _error_info(info: Mapping[str, Any]) -> Rows:
    return list(info.get("metadata", {}).items())


def _bad_request(bad: Mapping[str, Any]) -> Rows:
    pairs = [
        (v.get("field", ""), v.get("description", "")) for v in bad.get("field_violations", ())
    ]
    return [(field, text.removeprefix(f"{field} ")) for field, text in pairs]


def _resource_info(info: Mapping[str, Any]) -> Rows:
    return [(info.get("resource_type", "resource"), info.get("resource_name", ""))]


def _precondition_failure(failure: Mapping[str, Any]) -> Rows:
    return [(v.get("type", ""), v.get("subject", "")) for v in failure.get("violations", ())]


def _retry_info(info: Mapping[str, Any]) -> Rows:
    return [("retry after", info.get("retry_delay", "0s"))]


_RENDERERS: Mapping[str, Callable[[Mapping[str, Any]], Rows]] = {
    "ErrorInfo": _error_info,
    "BadRequest": _bad_request,
    "ResourceInfo": _resource_info,
    "PreconditionFailure": _precondition_failure,
    "RetryInfo": _retry_info,
}
