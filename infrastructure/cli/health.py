"""`workflows health`: is the service alive, and is it ready?"""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infrastructure.cli.options import Json, Target
from infrastructure.cli.rendering import failures_shown
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


def health(target: Target = DEFAULT_TARGET, wait: Wait = 0.0, as_json: Json = False) -> None:
    """Tell whether the service is alive and ready; the exit code is 0 only if it is both.

    [bold]Examples[/bold]

    workflows health

    workflows health --wait 30 && workflows seed

    workflows health --target 127.0.0.1:50053 --json
    """
    with (
        failures_shown(target, as_json=as_json),
        connected(target) as channel,
        Console(stderr=True).status(f"asking {target}"),
    ):
        statuses = _awaited(health_pb2_grpc.HealthStub(channel), wait)
    if as_json:
        facts = {"target": target, "serving": _serves(statuses), "statuses": dict(statuses)}
        Console().print_json(data=facts)
    else:
        _show(target, statuses)
    if not _serves(statuses):
        raise typer.Exit(1)


def _awaited(stub: Any, wait: float) -> Statuses:
    """The first statuses that serve; once the wait is over, whatever there is.

    Raises RpcError where even then nothing answers.
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
    table = Table(box=SIMPLE_HEAD)
    for heading in (target, "status", "tells"):
        table.add_column(heading)
    for name, status in sorted(statuses.items()):
        style = "green" if status == SERVING else "bold red"
        table.add_row(Text(name or "(process)"), Text(status, style), Text(_MEANINGS.get(name, "")))
    Console().print(table)
    if not _serves(statuses):
        advice = "Not ready: its database is away, or it starts or stops. Wait: --wait 30"
        Console(stderr=True).print(Text(advice, "yellow"))
