"""`workflows describe`: what a method takes and returns, with the contract's own comments."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from google.protobuf.descriptor import Descriptor, MethodDescriptor

from infrastructure.cli.contract import method_named, type_of
from infrastructure.cli.options import Json
from infrastructure.cli.printing import console, print_line_of_json, styled
from infrastructure.comments import comments
from infrastructure.contract import SERVICE

Name = Annotated[
    str | None, typer.Argument(metavar="[METHOD]", help="A method; without one, all are listed.")
]


def describe(method: Name = None, as_json: Json = False) -> None:
    """Show what a method takes and returns; without a name, list the methods.

    \b
    Examples:
      workflows describe
      workflows describe CreateWorkflow
      workflows describe workflows.WorkflowsService/ListWorkflows --json
    """
    found = [method_named(method)] if method else list(SERVICE.methods)
    if as_json:
        print_line_of_json({"methods": [_as_json(each) for each in found]})
        return
    out = console()
    for each in found:
        out.print(styled(each.name, "bold").append_text(styled(f"  {_comment(each)}")))
        if method:
            for title, message in (("takes", each.input_type), ("returns", each.output_type)):
                out.print()
                out.print(styled(f"{title} {message.name}", "bold"))
                for name, kind, comment in _rows(message) or [("(no field)", "", "")]:
                    out.print(styled(f"  {name}", "cyan").append_text(styled(f"  {kind}")))
                    if comment:
                        out.print(styled(f"      {comment}", "dim"))


def _comment(method: MethodDescriptor) -> str:
    return comments().of(method.full_name)


def _rows(message: Descriptor, prefix: str = "") -> list[tuple[str, str, str]]:
    """Name, type and comment of each field, those of inner messages after their own."""
    return list(_walk(message, prefix))


def _walk(message: Descriptor, prefix: str) -> Iterator[tuple[str, str, str]]:
    for field in message.fields:
        yield f"{prefix}{field.name}", type_of(field), comments().of(field.full_name)
        if field.message_type:
            yield from _walk(field.message_type, f"{prefix}{field.name}.")


def _as_json(method: MethodDescriptor) -> Mapping[str, Any]:
    def fields(message: Descriptor) -> list[Mapping[str, str]]:
        return [dict(zip(("name", "type", "comment"), row, strict=True)) for row in _rows(message)]

    return {
        "name": method.name,
        "full_name": f"{SERVICE.full_name}/{method.name}",
        "comment": _comment(method),
        "takes": fields(method.input_type),
        "returns": fields(method.output_type),
    }
