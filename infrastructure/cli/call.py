"""`workflows call`: any method of the service from the command line."""

import re
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from infrastructure.cli.contract import method_named
from infrastructure.cli.options import Authorities, Json, Target, TokenFile
from infrastructure.cli.printing import console, print_json, print_line_of_json, styled
from infrastructure.cli.refusing import calls_to, misused
from infrastructure.cli.requests import MethodName, Request, message_of
from infrastructure.client.target import DEFAULT_TARGET

_METADATA = re.compile(r"([0-9a-z_.-]+)=([\x20-\x7e]*)\Z")

Timeout = Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the answer.")]
Metadata = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Metadata to send; may be given more than once."),
]


def call(
    method: MethodName,
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
    message = message_of(found.input_type, request)
    sent = [_pair(given) for given in metadata or ()]
    # Imported here, so that a wrong request is refused without waiting for gRPC's import.
    from workflows.workflows_pb2_grpc import WorkflowsServiceStub  # noqa: PLC0415 - as above

    from infrastructure.client.channel import connected, trailing_of  # noqa: PLC0415 - as above

    with calls_to(target), connected(target, ca, token_file) as channel:
        send = getattr(WorkflowsServiceStub(channel), found.name).with_call
        response, ended = send(message, timeout=timeout, metadata=sent)
    _show(response, trailing_of(ended), as_json=as_json)


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
