"""Every unary method as Connect's unary protocol: JSON (or protobuf) in and out, by POST.

`POST /workflows.WorkflowsService/GetWorkflow` with a JSON object returns a JSON object.
Errors are Connect's: an HTTP status, and an object with code, message and details. What gRPC sends
as trailing metadata comes as headers that begin with `trailer-`.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status
from starlette.requests import Request
from starlette.responses import Response

from infrastructure.contract import DETAILS_KEY
from infrastructure.http.call import HttpCall, Outcome, header_pairs
from infrastructure.http.certificates import NAMES
from infrastructure.wire.calls import Method

JSON = "application/json"
PROTO = "application/proto"
MAX_BODY = 4 * 1024 * 1024  # bytes: a payload of 1 MiB, escaped in JSON

Code = grpc.StatusCode

HTTP_STATUS: Mapping[grpc.StatusCode, int] = {
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
"""As Connect's protocol has it."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method: what answers it, and its messages."""

    method: Method
    request: type[Message]
    response: type[Message]


def routes(
    services: Sequence[ServiceDescriptor], methods: Mapping[str, Method]
) -> Mapping[str, Route]:
    """The routes of the methods of services, by path. `methods` are by full name."""
    return {
        path: _route(descriptor, methods[path])
        for service in services
        for descriptor in service.methods
        if (path := f"/{service.full_name}/{descriptor.name}") in methods
    }


def _route(descriptor: MethodDescriptor, method: Method) -> Route:
    return Route(
        method, GetMessageClass(descriptor.input_type), GetMessageClass(descriptor.output_type)
    )


class Connect:
    """Answers requests for methods, on an event loop."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = routes

    async def respond(self, request: Request) -> Response:
        """The response to one request."""
        route = self._routes.get(request.url.path)
        if route is None:
            return refused(Code.UNIMPLEMENTED, f"There is no method {request.url.path}.", 404)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (JSON, PROTO):
            return Response(
                "The body must be application/json or application/proto.\n",
                415,
                {"accept-post": f"{JSON}, {PROTO}"},
            )
        if request.headers.get("content-encoding", "identity") != "identity":
            return refused(Code.UNIMPLEMENTED, "Only content-encoding identity is understood.")
        try:
            sent = await _body(request)
            message = sent if kind == PROTO else _encoded(route.request, sent)
            timeout = _timeout(request.headers.get("connect-timeout-ms"))
        except _BodyRefused as bad:
            return refused(bad.code, str(bad))
        outcome = await _called(request, route.method, message, timeout)
        if outcome.code is not Code.OK:
            return _error(outcome)
        content = outcome.message if kind == PROTO else _decoded(route.response, outcome.message)
        return Response(content, 200, _trailers(outcome), kind)


class _BodyRefused(Exception):
    """A request that is refused before a method is called."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        self.code = code
        super().__init__(text)


async def _called(
    request: Request, method: Method, message: bytes, seconds: float | None
) -> Outcome:
    client = request.client
    peer = f"http:{client.host}:{client.port}" if client else "http:unix"
    call = HttpCall(request.headers.raw, peer, seconds, request.scope["state"].get(NAMES, ()))
    disconnected = asyncio.ensure_future(request.receive())
    try:
        method(message, call)
        return await call.outcome(disconnected)
    finally:
        disconnected.cancel()


async def _body(request: Request) -> bytes:
    """The whole body, of MAX_BODY bytes at most. Raises _BodyRefused."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > MAX_BODY:
            raise _BodyRefused(
                Code.RESOURCE_EXHAUSTED, f"The body is larger than {MAX_BODY} bytes."
            )
    return bytes(found)


def _encoded(kind: type[Message], body: bytes) -> bytes:
    """The request of a JSON body, as a wire carries it. Raises _BodyRefused."""
    try:
        return ParseDict(_object(body), kind()).SerializeToString()
    except (ParseError, ValueError, RecursionError) as unreadable:
        complaint = str(unreadable).partition("\n")[0][:500]
        fields = ", ".join(field.name for field in kind.DESCRIPTOR.fields)
        raise _BodyRefused(
            Code.INVALID_ARGUMENT,
            f"The body is no {kind.DESCRIPTOR.name}: {complaint}."
            f" An object with {fields} is accepted.",
        ) from unreadable


def _object(body: bytes) -> dict[str, Any]:
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ParseError("it is no JSON object")
    return document


def _decoded(kind: type[Message], message: bytes) -> bytes:
    shown = MessageToDict(kind.FromString(message), always_print_fields_with_no_presence=True)
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()


def _timeout(header: str | None) -> float | None:
    """Seconds in a connect-timeout-ms header. Raises _BodyRefused."""
    if header is None:
        return None
    if not header.isdecimal() or len(header) > 10:  # noqa: PLR2004 - Connect's bound
        raise _BodyRefused(
            Code.INVALID_ARGUMENT, "connect-timeout-ms must be at most ten decimal digits."
        )
    return int(header) / 1000


def refused(code: grpc.StatusCode, text: str, status: int | None = None) -> Response:
    """An error in Connect's form for a request that reached no method."""
    return _error(Outcome(code=code, text=text), status)


def _error(outcome: Outcome, status: int | None = None) -> Response:
    name = "canceled" if outcome.code is Code.CANCELLED else outcome.code.name.lower()
    body: dict[str, Any] = {"code": name, "message": outcome.text}
    if details := list(_details(outcome)):
        body["details"] = details
    content = json.dumps(body, ensure_ascii=False).encode()
    return Response(content, status or HTTP_STATUS[outcome.code], _trailers(outcome), JSON)


def _details(outcome: Outcome) -> list[dict[str, str]]:
    """The google.rpc details of a refusal, as Connect writes them."""
    return [
        {"type": packed.TypeName(), "value": b64encode(packed.value).rstrip(b"=").decode()}
        for key, value in outcome.trailing
        if key == DETAILS_KEY and isinstance(value, bytes)
        for packed in Status.FromString(value).details
    ]


def _trailers(outcome: Outcome) -> dict[str, str]:
    return {
        f"trailer-{key}": value
        for key, value in header_pairs(outcome.trailing)
        if key != DETAILS_KEY
    }
