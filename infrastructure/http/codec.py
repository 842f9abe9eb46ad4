"""What Connect's unary protocol puts into HTTP bodies and headers, and back into messages."""

import re
from base64 import b64encode
from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple

import grpc
import orjson
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from infrastructure.contract import DETAILS_KEY
from infrastructure.http.call import Outcome, header_pairs

JSON = "application/json"
PROTO = "application/proto"
Code = grpc.StatusCode
Headers = list[tuple[bytes, bytes]]
_VALUE = re.compile(r"Failed to parse (\S+) field:.*")  # The library repeats what was sent.

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


class Refused(Exception):
    """A request that is refused before a method is called."""

    def __init__(self, code: grpc.StatusCode, text: str, status: int | None = None) -> None:
        """`status` is the one of HTTP, if it is another than the code's."""
        self.outcome = Outcome(code=code, text=text)
        self.status = status
        super().__init__(text)


class Answer(NamedTuple):
    """A response of HTTP."""

    status: int
    headers: Headers
    body: bytes


def encoded(kind: type[Message], body: bytes) -> bytes:
    """The request of a JSON body, as a wire carries it. Raises Refused."""
    try:
        return ParseDict(_object(body), kind()).SerializeToString()
    except (ParseError, ValueError, RecursionError) as unreadable:
        complaint = _VALUE.sub(r"\1 cannot be read", str(unreadable).partition("\n")[0][:500])
        fields = ", ".join(field.name for field in kind.DESCRIPTOR.fields)
        raise Refused(
            Code.INVALID_ARGUMENT,
            f"The body is no {kind.DESCRIPTOR.name}: {complaint}."
            f" An object with {fields} is accepted.",
        ) from unreadable


def _object(body: bytes) -> dict[str, Any]:
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise ParseError("it is no JSON object")
    return document


def answered(outcome: Outcome, kind: type[Message], media: str) -> Answer:
    """The response of a call that ended with a message of this kind."""
    content = outcome.message if media == PROTO else _as_json(kind, outcome.message)
    return _answer(200, media, content, _trailers(outcome))


def refused(outcome: Outcome, status: int | None = None) -> Answer:
    """The response of a call that was refused: an error in Connect's form."""
    name = "canceled" if outcome.code is Code.CANCELLED else outcome.code.name.lower()
    body: dict[str, Any] = {"code": name, "message": outcome.text}
    headers = _trailers(outcome)
    if details := _details(outcome):
        body["details"] = [
            {"type": packed.TypeName(), "value": b64encode(packed.value).rstrip(b"=").decode()}
            for packed in details
        ]
        headers += [_retry_after(each) for each in details if each.Is(RetryInfo.DESCRIPTOR)]
    if outcome.code is Code.UNAUTHENTICATED:
        headers.append((b"www-authenticate", b"Bearer"))
    return _answer(status or HTTP_STATUS[outcome.code], JSON, orjson.dumps(body), headers)


def _as_json(kind: type[Message], message: bytes) -> bytes:
    shown = MessageToDict(kind.FromString(message), always_print_fields_with_no_presence=True)
    return orjson.dumps(shown)


def _answer(status: int, media: str, body: bytes, headers: Headers) -> Answer:
    headers.append((b"content-type", media.encode()))
    headers.append((b"content-length", b"%d" % len(body)))
    return Answer(status, headers, body)


def _details(outcome: Outcome) -> list[Any]:
    """The google.rpc details of a refusal."""
    for key, value in outcome.trailing:
        if key == DETAILS_KEY and isinstance(value, bytes):
            return list(Status.FromString(value).details)
    return []


def _retry_after(packed: Any) -> tuple[bytes, bytes]:
    """The header of HTTP that says what RetryInfo says, in whole seconds."""
    info = RetryInfo.FromString(packed.value)
    return b"retry-after", b"%d" % ceil(info.retry_delay.ToMilliseconds() / 1000)


def _trailers(outcome: Outcome) -> Headers:
    return [
        (f"trailer-{key}".encode(), value.encode("latin-1", "replace"))
        for key, value in header_pairs(outcome.trailing)
        if key != DETAILS_KEY
    ]
