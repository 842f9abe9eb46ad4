"""The log of calls: a line for each, with what is known and nothing of what was sent."""

import json
import os
from collections.abc import Callable, Iterator
from select import PIPE_BUF
from typing import Any

import pytest

from application.access import Caller, Role
from infrastructure.identity.cause import Cause
from infrastructure.telemetry.calls import MOST_WAITING, CallLog, as_json, as_sentence
from infrastructure.telemetry.lines import Lines
from tests.support.waiting import until

CREATE = "workflows.WorkflowsService/CreateWorkflow"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A reading and a writing end. Each reading returns what was written at once."""
    reader, writer = os.pipe2(os.O_DIRECT)
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.fixture
def log(pipe: tuple[int, int]) -> Callable[..., CallLog]:
    """Makes a log of calls, into the pipe."""
    return lambda *, all_calls=True: CallLog(Lines(pipe[1]), as_json, all_calls=all_calls)


def test_a_call_leaves_one_line_for_machines(
    log: Callable[..., CallLog], pipe: tuple[int, int]
) -> None:
    calls = log()
    calls.call_ended(CREATE, "OK", 0.0042, a_cause("ann\u202e\x1b[2J"))
    calls.close()

    line = os.read(pipe[0], PIPE_BUF).decode()
    entry = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "call",
        "level": "info",
        "method": CREATE,
        "code": "OK",
        "seconds": 0.0042,
        "caller": "https://issuer|ann\u202e\x1b[2J",
        "request_id": "client:order-7",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    assert "\x1b" not in line
    assert "\u202e" not in line


def test_a_call_leaves_one_sentence_for_people() -> None:
    cause = a_cause("ann\x1b")
    ended = (0.0, CREATE, "NOT_FOUND", 0.0042, cause.caller, None, cause.metadata[:1])
    said = as_sentence(ended)[len("00:00:00") :]
    assert said == "  CreateWorkflow NOT_FOUND 4.2 ms https://issuer|ann\\u001b client:order-7"


def test_calls_that_went_well_are_left_out_if_only_failed_ones_are_wanted(
    log: Callable[..., CallLog], pipe: tuple[int, int]
) -> None:
    calls = log(all_calls=False)
    calls.call_ended(CREATE, "OK", 0.1, a_cause())
    calls.call_ended(CREATE, "UNAVAILABLE", 0.1, a_cause())
    calls.close()

    [line] = os.read(pipe[0], PIPE_BUF).splitlines()
    assert json.loads(line)["code"] == "UNAVAILABLE"


def test_what_is_written_at_once_is_whole_lines_so_processes_do_not_mix_theirs(
    log: Callable[..., CallLog], pipe: tuple[int, int]
) -> None:
    calls = log()
    for _ in range(60):
        calls.call_ended(CREATE, "OK", 0.1, a_cause())
    calls.close()

    lines: list[dict[str, Any]] = []
    while len(lines) < 60:
        written = os.read(pipe[0], 1 << 20)
        assert len(written) <= PIPE_BUF
        lines += map(json.loads, written.splitlines())
    assert len(lines) == 60


def test_calls_are_lost_and_counted_if_nobody_reads(pipe: tuple[int, int]) -> None:
    lines = Lines(pipe[1])
    calls = CallLog(lines, as_json, all_calls=True)
    for _ in range(2 * MOST_WAITING):
        calls.call_ended(CREATE, "OK", 0.1, a_cause())
    until(lambda: lines.lost)


def a_cause(subject: str = "ann") -> Cause:
    """A call of a user, with ids of its own."""
    cause = Cause([("x-request-id", "order-7"), ("traceparent", TRACE), ("x-token", "hunter2")])
    cause.caller = Caller("https://issuer", subject, frozenset({Role.USER}))
    return cause
