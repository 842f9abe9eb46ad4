"""`workflows what-if`: what a command would record, now or at a moment of the past."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from google.protobuf.descriptor import MethodDescriptor
from workflows import history_pb2 as pb

from infrastructure.cli.contract import method_named
from infrastructure.cli.options import Json, Target
from infrastructure.cli.past.asking import (
    WITHIN,
    At,
    AtPosition,
    AtVersion,
    Token,
    Utc,
    bearer,
    historian,
    plain,
)
from infrastructure.cli.past.moments import one_moment
from infrastructure.cli.past.timeline import timeline
from infrastructure.cli.past.values import place_text, state_lines
from infrastructure.cli.printing import console, print_line_of_json, styled
from infrastructure.cli.refusing import misused
from infrastructure.cli.requests import MethodName, Request, message_of
from infrastructure.client.target import DEFAULT_TARGET

if TYPE_CHECKING:
    from rich.text import Text

_COMMANDS = {
    field.message_type.full_name: field.name
    for field in pb.WhatIfRequest.DESCRIPTOR.oneofs_by_name["command"].fields
    if field.message_type is not None
}
"""The field of WhatIf for each type of request that changes something."""


def what_if(
    method: MethodName,
    request: Request = "{}",
    at: At = None,
    version: AtVersion = None,
    position: AtPosition = None,
    utc: Utc = False,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    as_json: Json = False,
) -> None:
    """Show what a command would record: its events and the state after them. Nothing is recorded.

    A command that would be refused is shown with its refusal; that is an answer, not a failure.

    \b
    Examples:
      workflows what-if TerminateWorkflow '{"id": "0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f",
        "user_id": "ada"}'
      workflows what-if IncrementWorkflowConsecutiveJobFailuresCount
        '{"id": "0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f", "user_id": "ada"}' --at '2 hours ago'
    """
    moment = one_moment(at, version, position, datetime.now(UTC))
    asked = pb.WhatIfRequest(moment=moment)
    found = method_named(method)
    getattr(asked, _command(found)).CopyFrom(message_of(found.input_type, request))
    with historian(target) as service:
        answer = service.WhatIf(asked, timeout=WITHIN, metadata=bearer(token))
    if as_json:
        print_line_of_json(plain(answer))
        return
    out = console()
    for line in _lines(answer, utc=utc):
        out.print(line)


def _command(method: MethodDescriptor) -> str:
    """The field of WhatIf for a method; ends the command for one that changes nothing."""
    name = _COMMANDS.get(method.input_type.full_name)
    if name is None:
        misused(f"{method.name} changes nothing; there are: {', '.join(_COMMANDS.values())}")
    return name


def _lines(answer: pb.WhatIfResponse, *, utc: bool) -> list["Text"]:
    place = place_text(answer.place)
    if answer.HasField("refusal"):
        refusal = answer.refusal
        heading = f"would be refused · {refusal.code} ({refusal.reason}) · {place}"
        return [styled(heading, "bold red"), styled(refusal.message)]
    count = len(answer.events)
    what = f"would record {count} event{'s' * (count != 1)}" if count else "would change nothing"
    lines = [styled(f"{what} · {place}", "bold"), styled("")]
    lines += timeline(answer.events, utc=utc)
    lines += [styled("the workflow would be", "bold"), *state_lines(answer.workflow, utc=utc)]
    return lines
