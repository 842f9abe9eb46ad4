"""What happened, as plain data: the calls that clients made, and the log that the service kept.

A history is recorded by clients (see recording.py) or by any other program that calls the service,
and judged by checks.py. Its file holds one JSON object a line, one line a call.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TextIO

NEVER = 2**63 - 1
"""The time at which a call returned whose outcome the client does not know."""


class Outcome(StrEnum):
    """How a call ended, as its client knows it."""

    OK = "ok"
    REFUSED = "refused"  # the call had no effect, and never will
    UNKNOWN = "unknown"  # it had its effect once, or not, or will have it later


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. Times are monotonic nanoseconds of one machine.

    `id` is the request id that the client sent; the log repeats it. `request` and `reply` hold
    the fields of the messages that are set. `version` and `position` are those of the trailing
    metadata, 0 if there were none.
    """

    id: str
    client: str
    server: str
    method: str
    request: Mapping[str, Any]
    called: int
    returned: int = NEVER
    outcome: Outcome = Outcome.UNKNOWN
    code: str = ""
    reply: Mapping[str, Any]
    version: int = 0
    position: int = 0
    replayed: bool = False

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return self.outcome is Outcome.OK

    @property
    def workflow_id(self) -> str:
        """The workflow that the call is about; empty for a list and for a failed creation."""
        owner = self.reply if self.method == "CreateWorkflow" else self.request
        return str(owner.get("id", ""))

    @property
    def key(self) -> tuple[str, str, str] | None:
        """Equal for repeats of one call: method, owner of the key, key; None without a key."""
        key = self.request.get("idempotency_key") or self.request.get("job_id")
        if not key:
            return None
        creates = self.method == "CreateWorkflow"
        owner = str(self.request["user_id"]) if creates else self.workflow_id
        return self.method, owner, str(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One event as the service's log has it; `request_id` is that of the call that led to it."""

    workflow_id: str
    version: int
    position: int
    name: str
    request_id: str


def write(calls: Iterable[Call], file: TextIO) -> None:
    """Writes calls to a text file, one line each."""
    file.writelines(json.dumps(asdict(call), ensure_ascii=True) + "\n" for call in calls)


def read(file: TextIO) -> Iterator[Call]:
    """The calls of a file that `write` wrote."""
    for line in file:
        fields = json.loads(line)
        yield Call(**{**fields, "outcome": Outcome(fields["outcome"])})
