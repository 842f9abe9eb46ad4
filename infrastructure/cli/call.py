"""`workflows call`: any method of the service from the command line."""

import json
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from rich.console import Console
from rich.text import Text
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

from infrastructure.cli.options import Json, Target
from infrastructure.cli.rendering import failures_shown, give_up
from infrastructure.client.channel import connected, trailing_of
from infrastructure.client.target import DEFAULT_TARGET
from infrastructure.contract import SERVICE

_METADATA = re.compile(r"([0-9a-z_.-]+)=([\x20-\x7e]*)\Z")

Method = Annotated[
    str,
    typer.Argument(
        metavar="METHOD", help=f"In any case, one of {', '.join(SERVICE.methods_by_name)}."
    ),
]
Request = Annotated[
    str, typer.Argument(metavar="JSON", help="The request as an object; - reads it from stdin.")
]
Timeout = Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the answer.")]
Metadata = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Metadata to send; may be given more than once."),
]


def call(
    method: Method,
    request: Request = "{}",
    target: Target = DEFAULT_TARGET,
    timeout: Timeout = 10.0,
    metadata: Metadata = None,
    as_json: Json = False,
) -> None:
    r"""Call a method of the service. The response goes to stdout, everything else to stderr.

    [bold]Examples[/bold]

    workflows call ListWorkflows '{"user_id": "ada"}'

    workflows call listworkflows '{"userId": "ada", "filters": {"kind": "http"}}'

    workflows call CreateWorkflow '{"user_id": "ada", "name": "Ping",
    "kind": "http", "payload": "{\"url\": \"https://ping.example\"}",
    "interval": 5, "max_consecutive_job_failures_allowed": 3}'

    workflows call CreateWorkflow - < request.json

    workflows call ListWorkflows '{"user_id": "ada"}' --json
    --metadata x-request-id=r-1
    """
    found = _method(method)
    message = _message(found.input_type, request)
    sent = [_pair(given) for given in metadata or ()]
    with failures_shown(target, as_json=as_json), connected(target) as channel:
        send = getattr(WorkflowsServiceStub(channel), found.name).with_call
        response, ended = send(message, timeout=timeout, metadata=sent)
    _show(response, trailing_of(ended), as_json=as_json)


def _method(name: str) -> MethodDescriptor:
    methods = {known.lower(): method for known, method in SERVICE.methods_by_name.items()}
    if name.lower() not in methods:
        give_up("\n  ".join([f"there is no method {name!r}; there are", *SERVICE.methods_by_name]))
    return methods[name.lower()]


def _message(kind: Descriptor, text: str) -> Message:
    """The request in a JSON text, or on stdin."""
    try:
        return ParseDict(_object(text), GetMessageClass(kind)())
    except ParseError as refused:
        complaint = str(refused).partition("\n")[0]
        give_up(f"{complaint}\n{kind.name} takes {_fields(kind)}")


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(sys.stdin.buffer.read().decode() if text == "-" else text)
    except (ValueError, RecursionError) as unreadable:
        give_up(f'the request is no JSON: {unreadable}\nGive an object: \'{{"user_id": "ada"}}\'')
    if not isinstance(document, dict):
        give_up('the request is no JSON object; give one: \'{"user_id": "ada"}\'')
    return document


def _fields(kind: Descriptor) -> str:
    return ", ".join(f"{field.name} ({_type(field)})" for field in kind.fields)


def _type(field: FieldDescriptor) -> str:
    if field.message_type:
        return f"object of {_fields(field.message_type)}"
    return {
        FieldDescriptor.CPPTYPE_STRING: "text",
        FieldDescriptor.CPPTYPE_BOOL: "true or false",
    }.get(field.cpp_type, "number")


def _pair(given: str) -> tuple[str, str]:
    pair = _METADATA.match(given)
    if not pair or pair[1].endswith("-bin"):
        give_up(
            f"{given!r} is no metadata; give a lower-case key and a printable value:"
            " --metadata x-request-id=r-1"
        )
    return pair[1], pair[2]


def _show(response: Message, trailing: dict[str, str], *, as_json: bool) -> None:
    answer = MessageToDict(
        response, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    if as_json:
        Console().print_json(data={"response": answer, "trailing": trailing})
        return
    Console().print_json(data=answer)
    _show_trailing(list(trailing.items()))


def _show_trailing(pairs: Sequence[tuple[str, str]]) -> None:
    """The metadata goes to stderr, so that the response can be piped."""
    if pairs:
        text = " · ".join(f"{key} {value}" for key, value in pairs)
        Console(stderr=True).print(Text(text, "dim"))
