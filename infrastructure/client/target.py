"""The service that a command talks to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import grpc
import typer
from workflows import workflows_pb2 as pb

from infrastructure.settings import Settings

SERVICE = pb.DESCRIPTOR.services_by_name["WorkflowsService"]
DEFAULT_TARGET: str = Settings.model_fields["listen"].default

_LAST_PORT = 65535


def _host_and_port(target: str) -> str:
    """The target, if it is one. Left alone, gRPC takes a port above the last modulo 65536."""
    host, _, port = target.rpartition(":")
    if "/" in host or not host or not port.isdecimal() or not 0 < int(port) <= _LAST_PORT:
        raise typer.BadParameter(f"{target!r} is no host:port such as {DEFAULT_TARGET}")
    return target


Target = Annotated[
    str,
    typer.Option(
        "--target",
        envvar="WORKFLOWS_LISTEN",
        help="Where the service listens.",
        callback=_host_and_port,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON, failures too.")]

# A service that just started is found soon: gRPC's own pauses grow to two minutes.
_OPTIONS = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500))


@contextmanager
def connected(target: str) -> Iterator[grpc.Channel]:
    """A channel to the service; nothing is sent before the first call."""
    with grpc.insecure_channel(target, options=_OPTIONS) as channel:
        yield channel


def trailing_of(call: grpc.Call) -> dict[str, str]:
    """The trailing metadata that is text, such as x-workflow-version."""
    pairs = call.trailing_metadata() or ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def has_code(error: grpc.RpcError, *codes: grpc.StatusCode) -> bool:
    """Whether a call ended with one of these codes."""
    return isinstance(error, grpc.Call) and error.code() in codes
