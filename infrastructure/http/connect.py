"""Every unary method as Connect's unary protocol: JSON (or protobuf) in and out, by POST.

`POST /workflows.WorkflowsService/GetWorkflow` with a JSON object returns a JSON object.
Errors are Connect's: an HTTP status, and an object with code, message and details. What gRPC sends
as trailing metadata comes as headers that begin with `trailer-`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from starlette.types import ASGIApp, Receive, Scope, Send

from infrastructure.http.bounds import ESCAPED, Bounds
from infrastructure.http.call import HttpCall, metadata_of
from infrastructure.http.codec import JSON, PROTO, Answer, Code, Refused, answered, encoded, refused
from infrastructure.http.connection import KEY, Connection
from infrastructure.wire.calls import Metadata, Method

_DIGITS = 10  # of a time-out in milliseconds, as Connect bounds it
_log = structlog.get_logger()

Tell = Callable[[str, str, Metadata], None]
"""Is told of a request that reached no method: the method's name, the code's, and the headers."""


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
    """An ASGI application that answers requests for methods, and passes others on.

    It stands on `Connection`, without the layers of a framework: these cost more than the rest.
    """

    def __init__(
        self, routes: Mapping[str, Route], pages: ASGIApp, bounds: Bounds, tell: Tell
    ) -> None:
        """`pages` answers what is no request for a method; `tell` is told of refused requests."""
        self._tell = tell
        self._routes = routes
        self._pages = pages
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        route = self._routes.get(scope["path"]) if scope["method"] == "POST" else None
        try:
            if route is None:
                await self._pages(scope, receive, send)
                return
            connection: Connection = scope["state"][KEY]
            try:
                answer = await self._answer(route, scope["headers"], connection, receive)
            except Refused as bad:
                answer = refused(bad.outcome, bad.status)
                name = scope["path"].removeprefix("/")
                self._tell(name, bad.outcome.code.name, metadata_of(scope["headers"]))
                # What is left of the body is not read.
                answer.headers.append((b"connection", b"close"))
            else:
                if connection.is_old:
                    answer.headers.append((b"connection", b"close"))
            await send(
                {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
            )
            await send({"type": "http.response.body", "body": answer.body})
        except Exception as fault:
            _log.error("request failed", path=scope["path"][:200], exc_info=fault)
            raise

    async def _answer(
        self,
        route: Route,
        headers: Sequence[tuple[bytes, bytes]],
        connection: Connection,
        receive: Receive,
    ) -> Answer:
        """Calls the method. Raises Refused if the request is none."""
        fields = dict(headers)
        media = _media(fields)
        timeout = min(_timeout(fields.get(b"connect-timeout-ms")), self._bounds.longest_wait)
        sent = await self._body(fields, media, receive)
        message = sent if media == PROTO else encoded(route.request, sent)
        if len(message) > self._bounds.request_bytes:
            raise _too_large(self._bounds.request_bytes)
        call = HttpCall(headers, connection, timeout)
        connection.when_lost(call.disconnected)
        try:
            route.method(message, call)
            outcome = await call.outcome()
        finally:
            connection.when_lost(None)
        if outcome.code is not Code.OK:
            return refused(outcome)
        return answered(outcome, route.response, media)

    async def _body(self, fields: Mapping[bytes, bytes], media: str, receive: Receive) -> bytes:
        """The whole body. Raises Refused if it is too large, or never complete."""
        most = self._bounds.request_bytes * (1 if media == PROTO else ESCAPED)
        if int(fields.get(b"content-length", 0)) > most:
            raise _too_large(most)
        found, goes_on = b"", True
        while goes_on:
            part: Any = await receive()
            if part["type"] == "http.disconnect":
                raise Refused(Code.CANCELLED, "The client has disconnected.")
            found += part["body"]
            if len(found) > most:
                raise _too_large(most)
            goes_on = part["more_body"]
        return found


def _media(fields: Mapping[bytes, bytes]) -> str:
    """The media type of a body. Raises Refused if the protocol is another one."""
    kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    if kind not in (JSON, PROTO):
        raise Refused(Code.UNKNOWN, f"The body must be {JSON} or {PROTO}.", 415)
    if fields.get(b"content-encoding", b"identity") != b"identity":
        raise Refused(Code.UNIMPLEMENTED, "Only content-encoding identity is understood.")
    if fields.get(b"connect-protocol-version", b"1") != b"1":
        raise Refused(Code.INVALID_ARGUMENT, "connect-protocol-version must be 1.")
    return kind


def _timeout(header: bytes | None) -> float:
    """Seconds in a connect-timeout-ms header. Raises Refused."""
    if header is None:
        return float("inf")
    if not header.isdigit() or len(header) > _DIGITS:
        raise Refused(
            Code.INVALID_ARGUMENT, "connect-timeout-ms must be at most ten decimal digits."
        )
    return int(header) / 1000


def _too_large(most: int) -> Refused:
    return Refused(Code.RESOURCE_EXHAUSTED, f"The body is larger than {most} bytes.")
