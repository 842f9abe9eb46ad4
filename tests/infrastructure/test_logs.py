"""Logging: it never waits, never raises, counts what it loses, and shows no secrets of a frame."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure.telemetry.events import LoggedEvents
from infrastructure.telemetry.lines import MOST_WAITING, Lines
from tests.support.waiting import until


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A reading and a writing end; a test may close the first."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(writer)


def test_a_full_stream_makes_nobody_wait_and_the_lost_lines_are_counted(
    pipe: tuple[int, int],
) -> None:
    reader, writer = pipe
    lines = Lines(writer)
    put = 4 * MOST_WAITING
    for _ in range(put):
        lines.put("x" * 200)
    assert lines.lost
    read = b""
    while b"lines were lost" not in read:
        read += os.read(reader, 65536)
        lines.put("y")
    said = next(json.loads(line) for line in read.splitlines() if line.startswith(b"{"))
    assert 0 < said["lines"] < put
    os.close(reader)


def test_a_reader_that_went_away_harms_nobody(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    lines = Lines(writer)
    lines.put("nobody reads this")
    until(lambda: lines.lost == 1)
    lines.put("nor this")
    until(lambda: lines.lost == 2)


PROGRAM = """
import structlog
from infrastructure.telemetry.logs import configure_logs
class Unprintable:
    def __repr__(self): raise RuntimeError("no")
configure_logs()
log = structlog.get_logger()
log.info("odd", value=Unprintable())
try:
    password = "hunter2"
    raise ValueError("evil \\x1b[2J text")
except ValueError as error:
    log.error("call failed", exc_info=error, method="Get\\x1b")
log.info("stopping", calls=3, sentence="stopping (3 calls in flight)")
"""


def logged(**environment: str) -> str:
    """What a program that logs these lines writes to stderr."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=True,
    )
    return done.stderr


def test_off_a_terminal_each_line_is_json_and_one_that_cannot_be_written_is_counted() -> None:
    lost, failed, stopping = map(json.loads, logged().splitlines())
    assert lost["lines"] == 1
    assert (failed["event"], failed["level"], failed["method"]) == (
        "call failed",
        "error",
        "Get\x1b",
    )
    assert "ValueError: evil" in failed["exception"]
    assert "hunter2" not in failed["exception"].replace('password = "hunter2"', "")
    assert (stopping["event"], stopping["calls"], "sentence" in stopping) == ("stopping", 3, False)
    assert "\x1b" not in logged()


def test_a_state_is_logged_once_until_it_changes() -> None:
    events = LoggedEvents()
    events._log = said = Recorder()
    events.database_lost("refused")
    events.database_lost("refused")
    events.not_ready("no database")
    events.database_back()
    events.database_back()
    events.ready()
    events.ready()
    events.migrated([])
    events.stopping(1)
    assert said.lines == [
        ("database lost", "database lost (refused)"),
        ("not ready", "not ready (no database)"),
        ("database back", ""),
        ("ready", ""),
        ("stopping", "stopping (1 call in flight)"),
    ]


class Recorder:
    """A logger that keeps events and their sentences."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def info(self, event: str, sentence: str = "", **_: Any) -> None:
        """Keeps a line."""
        self.lines.append((event, sentence))

    warning = info
