"""The status of a failed call as data, with its google.rpc details and a hint what to do."""

import os
from collections.abc import Iterator
from contextlib import suppress

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from infrastructure.client.failures import Detail, Failure
from infrastructure.client.target import DEFAULT_TARGET, is_loopback
from infrastructure.contract import DETAILS_KEY

# In the order in which gRPC reads them; it uses the first that is set.
_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")


def failure_of(error: grpc.RpcError, target: str) -> Failure:
    """The failure in an error that a call to the target raised."""
    if not isinstance(error, grpc.Call):  # The channel itself broke: there is no status.
        return Failure("UNKNOWN", str(error), [], _unreachable(target))
    details = list(_details(error))
    hint = "" if details else _hint(error.code(), target)
    return Failure(error.code().name, error.details() or "", details, hint)


def _details(call: grpc.Call) -> Iterator[Detail]:
    """The details that can be read; the others are left out."""
    for key, value in call.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            with suppress(DecodeError):
                for packed in Status.FromString(value).details:
                    yield _readable(packed)


def _readable(packed: AnyMessage) -> Detail:
    """A detail as JSON, with its message's full name as `type`. Raises DecodeError."""
    name = packed.TypeName()
    kind = getattr(error_details_pb2, name.removeprefix("google.rpc."), None)
    if kind is None:
        return {"type": name, "value": packed.value.hex()}
    message = kind.FromString(packed.value)
    return {"type": name} | MessageToDict(message, preserving_proto_field_name=True)


def _hint(code: grpc.StatusCode, target: str) -> str:
    """What to do about a status that does not come from the service's own code."""
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            return _unreachable(target)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"No answer in time; a call waits longer with --timeout.\n{_unreachable(target)}"
        case grpc.StatusCode.UNIMPLEMENTED:
            return f"Is it the Workflows Service that listens at {target}, and is it up to date?"
    return ""


def _unreachable(target: str) -> str:
    lines = [f"Is the service running at {target}?"]
    if target == DEFAULT_TARGET:
        lines.append("  Start it: workflows serve")
    elif is_loopback(target):
        lines.append(f"  Start it: workflows serve --listen {target}")
    lines.append("  If it listens elsewhere, say where: --target host:port")
    proxy = next((name for name in _PROXIES if os.environ.get(name)), None)
    if proxy and not is_loopback(target):
        host = target.rpartition(":")[0]
        lines.append(f"{proxy} is set, so the call goes by that proxy.")
        lines.append(f"  To go directly, unset it, or set no_proxy={host}")
    return "\n".join(lines)
