"""How commands show failures: plainly on stderr, or as JSON on stdout, and never a traceback."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infrastructure.client.failures import Detail, Failure, failure_of

Rows = Sequence[tuple[str, str]]


def give_up(message: str) -> NoReturn:
    """Says what is wrong with what was asked, and ends the command."""
    Console(stderr=True).print(Text.assemble(("error", "bold red"), " ", message))
    raise typer.Exit(1)


@contextmanager
def failures_shown(target: str, *, as_json: bool) -> Iterator[None]:
    """Ends the command with a readable account of a call that fails in the block."""
    try:
        yield
    except grpc.RpcError as error:
        failure = failure_of(error, target)
        if as_json:
            Console().print_json(data=failure.as_json())
        else:
            show(failure, Console(stderr=True))
        raise typer.Exit(1) from None


def show(failure: Failure, console: Console) -> None:
    """Prints a failure for people."""
    reasons = [d["reason"] for d in failure.details if d.get("reason")]
    heading = Text.assemble(("error", "bold red"), " ", (failure.code, "bold"))
    console.print(heading.append(f" ({', '.join(reasons)})" if reasons else ""))
    if failure.message and not _says_the_same(failure):
        console.print(Text(failure.message))
    rows = [row for detail in failure.details for row in _rows(detail)]
    if rows:
        console.print(_grid(rows))
    if failure.hint:
        console.print(Text(failure.hint, "yellow"))


def _says_the_same(failure: Failure) -> bool:
    """Whether the message only strings together the field violations that are shown below it."""
    violations = [v for d in failure.details for v in d.get("field_violations", ())]
    return bool(violations) and failure.message == "; ".join(
        v.get("description", "") for v in violations
    )


def _grid(rows: Rows) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows:
        table.add_row(Text(f"  {label}"), Text(text))
    return table


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
