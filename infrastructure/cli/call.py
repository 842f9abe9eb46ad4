"""`workflows call`: any method of the service from the command line."""

import json
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from google.protobuf.descriptor import Descriptor
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from infrastructure.cli.contract import fields_of, method_named
from infrastructure.cli.options import Authorities, Json, Target, TokenFile
from infrastructure.cli.printing import console, print_json, print_line_of_json, styled
from infrastructure.cli.refusing import calls_to, misused
from infrastructure.client.target import DEFAULT_TARGET

_METADATA = re.compile(r"([0-9a-z_.-]+)=([\x20-\x7e]*)\Z")
_UNKNOWN_FIELD = re.compile(r'no field named "([^"]*)"')

Method = Annotated[
    str, typer.Argument(metavar="METHOD", help="Its name, short or full, in any case.")
]
Request = Annotated[
    str, typer.Argument(metavar="[JSON]", help="The request as an object; - reads it from stdin.")
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
    ca: Authorities = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Call a method of the service. The response goes to stdout, everything else to stderr.

    A payload may be given as an object; it is sent as its JSON text. `workflows describe METHOD`
    shows what a method takes.

    \b
    Examples:
      workflows call ListWorkflows '{"user_id": "ada", "filters": {"kind": "http"}}'
      workflows call CreateWorkflow '{"user_id": "ada", "name": "Ping", "kind": "http",
        "payload": {"url": "https://ping.example"}, "interval": 5,
        "max_consecutive_job_failures_allowed": 3}'
      workflows call CreateWorkflow - < request.json
      workflows call ListWorkflows '{"user_id": "ada"}' --json --metadata x-request-id=r-1
    """
    found = method_named(method)
    message = _message(found.input_type, request)
    sent = [_pair(given) for given in metadata or ()]
    # Imported here, so that a wrong request is refused without waiting for gRPC's import.
    from workflows.workflows_pb2_grpc import WorkflowsServiceStub  # noqa: PLC0415 - as above

    from infrastructure.client.channel import connected, trailing_of  # noqa: PLC0415 - as above

    with calls_to(target), connected(target, ca, token_file) as channel:
        send = getattr(WorkflowsServiceStub(channel), found.name).with_call
        response, ended = send(message, timeout=timeout, metadata=sent)
    _show(response, trailing_of(ended), as_json=as_json)


def _message(kind: Descriptor, text: str) -> Message:
    """The request in a JSON text, or on stdin."""
    fields = {
        name: _payload(value) if name == "payload" else value
        for name, value in _object(text).items()
    }
    try:
        return ParseDict(fields, GetMessageClass(kind)())
    except ParseError as refused:
        misused(_complaint(kind, str(refused).partition("\n")[0]))


def _payload(value: object) -> object:
    """A payload as the text that the contract wants, if it was given as an object."""
    if not isinstance(value, dict):
        return value
    return json.dumps(value, ensure_ascii=False)


def _complaint(kind: Descriptor, complaint: str) -> str:
    unknown = _UNKNOWN_FIELD.search(complaint)
    near = get_close_matches(unknown[1], list(kind.fields_by_name), n=1) if unknown else []
    meant = f" Is {near[0]!r} meant?" if near else ""
    return f"{complaint}{meant}\n{kind.name} takes {fields_of(kind)}"


def _object(text: str) -> dict[str, Any]:
    try:
        given = sys.stdin.buffer.read().decode() if text == "-" else text
        document = json.loads(given, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as unreadable:
        misused(f'the request is no JSON: {unreadable}\nGive an object: \'{{"user_id": "ada"}}\'')
    if not isinstance(document, dict):
        misused('the request is no JSON object; give one: \'{"user_id": "ada"}\'')
    return document


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        repeated = next(name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1)
        raise ValueError(f"{repeated!r} stands twice in one object")
    return found


def _pair(given: str) -> tuple[str, str]:
    pair = _METADATA.match(given)
    if not pair or pair[1].endswith("-bin"):
        misused(
            f"{given!r} is no metadata; give a lower-case key and a printable value:"
            " --metadata x-request-id=r-1"
        )
    return pair[1], pair[2]


def _show(response: Message, trailing: dict[str, str], *, as_json: bool) -> None:
    answer = MessageToDict(
        response, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    if as_json:
        print_line_of_json({"response": answer, "trailing": trailing})
        return
    print_json(answer)
    if trailing:  # On stderr, so that the response can be piped.
        text = " · ".join(f"{key} {value}" for key, value in trailing.items())
        console(errors=True).print(styled(text, "dim"))
