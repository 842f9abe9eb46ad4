"""Who calls, and how to find the call again: from the connection and its metadata, never a body."""

import re

from grpc.aio import ServicerContext
from uuid_utils import uuid7

from application.ports import Origin

ANONYMOUS = "anonymous"
"""The actor of calls while the service runs without authentication."""

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}\Z")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\Z")


def origin_of(context: ServicerContext[bytes, bytes]) -> Origin:
    """The origin of a call. A request id is made where the client sent none that is usable."""
    request_id = trace_id = ""
    for key, value in context.invocation_metadata() or ():
        if key == "x-request-id" and isinstance(value, str) and _REQUEST_ID.match(value):
            request_id = value
        elif key == "traceparent" and isinstance(value, str):
            found = _TRACEPARENT.match(value)
            trace_id = found[1] if found else ""
    return Origin(ANONYMOUS, request_id or str(uuid7()), trace_id)
