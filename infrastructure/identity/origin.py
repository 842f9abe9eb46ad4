"""The origin of a call, read from the connection and its metadata, never from a body."""

import re
from itertools import count
from secrets import token_hex

from application.access import ANONYMOUS, Caller
from application.ports import Origin
from infrastructure.wire.calls import Metadata

CLIENTS = "client:"
"""The prefix of a request id that the client chose: it proves nothing and may be repeated."""

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}\Z")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\Z")


def request_id_of(metadata: Metadata) -> str:
    """The request id that a client chose, marked as such; empty if there is none, or a bad one."""
    for key, value in metadata:
        if key == "x-request-id" and isinstance(value, str) and _REQUEST_ID.match(value):
            return f"{CLIENTS}{value}"
    return ""


def traceparent_of(metadata: Metadata) -> str:
    """The W3C trace context of a call; empty if there is none, or a bad one."""
    for key, value in metadata:
        if key == "traceparent" and isinstance(value, str) and _TRACEPARENT.match(value):
            return value
    return ""


def ids_of(metadata: Metadata) -> tuple[str, str]:
    """The request id that a client chose, marked as such, and its trace id; empty for none."""
    request_id = trace_id = ""
    for key, value in metadata:
        if key == "x-request-id" and isinstance(value, str) and _REQUEST_ID.match(value):
            request_id = f"{CLIENTS}{value}"
        elif key == "traceparent" and isinstance(value, str):
            found = _TRACEPARENT.match(value)
            trace_id = found[1] if found else ""
    return request_id, trace_id


class Origins:
    """Finds the origin of each call of one server process."""

    def __init__(self) -> None:
        self._process = token_hex(8)
        self._calls = count(1)

    def of(self, metadata: Metadata, caller: Caller, method: str, owner: str = "") -> Origin:
        """The origin of a call of this method; a missing or bad request id is replaced.

        `owner` is the user whom the request names: a caller that is another acts for that user.
        """
        request_id, trace_id = ids_of(metadata)
        request_id = request_id or f"{self._process}-{next(self._calls)}"
        for_itself = caller is ANONYMOUS or owner == caller.subject
        return Origin(caller.actor, request_id, trace_id, "" if for_itself else owner, method)
