"""`workflows health`: is the service alive, and is it ready?"""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc

from infrastructure.cli.options import Authorities, Json, Target, TokenFile
from infrastructure.cli.printing import console, print_line_of_json, print_table, styled
from infrastructure.cli.program import program
from infrastructure.cli.refusing import calls_to
from infrastructure.client.channel import connected, has_code
from infrastructure.client.target import DEFAULT_TARGET
from infrastructure.contract import SERVICE

ALIVE = ""  # the health protocol's name of the whole process
READY = SERVICE.full_name
SERVING = "SERVING"
UNKNOWN = "SERVICE_UNKNOWN"

_MEANINGS = {ALIVE: "whether the process is alive", READY: "whether it takes calls"}
_ANSWER_WITHIN = 3.0  # seconds
_ASK_EVERY = 0.2  # seconds

Wait = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="How long to wait until it serves.")
]
Statuses = Mapping[str, str]


def health(
    target: Target = DEFAULT_TARGET,
    wait: Wait = 0.0,
    ca: Authorities = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Tell whether the service is alive and ready; the exit code is 0 only if it is both.

    \b
    Examples:
      workflows health
      workflows health --wait 30 && workflows seed
      workflows health --target 127.0.0.1:50053 --json
    """
    with (
        calls_to(target),
        connected(target, ca, token_file) as channel,
        console(errors=True).status(f"asking {target}"),
    ):
        statuses = _awaited(health_pb2_grpc.HealthStub(channel), wait)
    if as_json:
        facts = {"target": target, "serving": _serves(statuses), "statuses": dict(statuses)}
        print_line_of_json(facts)
    else:
        _show(target, statuses)
    if not _serves(statuses):
        raise typer.Exit(1)


def _awaited(stub: Any, wait: float) -> Statuses:
    """The first statuses that serve; once the wait is over, the last ones.

    Raises RpcError if even then nothing answers.
    """
    deadline = time.monotonic() + wait
    while True:
        over = time.monotonic() >= deadline
        try:
            statuses = _statuses(stub)
        except grpc.RpcError:
            if over:
                raise
        else:
            if over or _serves(statuses):
                return statuses
        time.sleep(max(0.0, min(_ASK_EVERY, deadline - time.monotonic())))


def _statuses(stub: Any) -> Statuses:
    """The status of all that the server knows of, by name; the two that matter are always there."""
    try:
        listed = stub.List(health_pb2.HealthListRequest(), timeout=_ANSWER_WITHIN).statuses
    except grpc.RpcError as error:
        if not has_code(error, grpc.StatusCode.UNIMPLEMENTED):
            raise
        return {name: _check(stub, name) for name in (ALIVE, READY)}
    found = {name: _name(response.status) for name, response in listed.items()}
    return {ALIVE: UNKNOWN, READY: UNKNOWN} | found


def _check(stub: Any, name: str) -> str:
    request = health_pb2.HealthCheckRequest(service=name)
    try:
        return _name(stub.Check(request, timeout=_ANSWER_WITHIN).status)
    except grpc.RpcError as error:
        if not has_code(error, grpc.StatusCode.NOT_FOUND):
            raise
        return UNKNOWN


def _name(status: int) -> str:
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(status))


def _serves(statuses: Statuses) -> bool:
    return all(statuses[name] == SERVING for name in (ALIVE, READY))


def _show(target: str, statuses: Statuses) -> None:
    rows = [
        (
            styled(name or "(process)"),
            styled(status, "green" if status == SERVING else "bold red"),
            styled(_MEANINGS.get(name, "")),
        )
        for name, status in sorted(statuses.items())
    ]
    print_table((target, "status", "tells"), rows)
    if not _serves(statuses):
        advice = (
            "Not ready: its database is away, or it starts or stops. Wait: --wait 30; or ask what"
            f" is wrong: {program()} doctor"
        )
        console(errors=True).print(styled(advice, "yellow"))
