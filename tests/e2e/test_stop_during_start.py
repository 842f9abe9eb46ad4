"""A start that is asked to stop, at any moment, ends cleanly and leaves nothing behind."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import psutil
import pytest

from tests.support.service import COMMAND

ENDS_WITHIN = 60.0  # seconds: patience with a slow machine, not an expectation


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder in which there is no database yet."""
    folder = Path(mkdtemp(prefix="workflows-"))
    yield folder / "data"
    rmtree(folder)


class Start:
    """A start with its standard error."""

    def __init__(self, data_dir: Path, *flags: str) -> None:
        clean = {name: value for name, value in os.environ.items() if "WORKFLOWS_" not in name}
        self.process = subprocess.Popen(
            [COMMAND, "serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir, *flags],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=clean | {"WORKFLOWS_HTTP_LISTEN": "off"},
        )
        self.said = b""

    def until_it_says(self, words: bytes) -> None:
        """Reads standard error up to these words."""
        assert self.process.stderr is not None
        while words not in self.said:
            piece = self.process.stderr.readline()
            assert piece, self.said
            self.said += piece

    def end(self, number: signal.Signals) -> int:
        """Sends a signal; the exit code."""
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=ENDS_WITHIN)
        self.said += rest
        return self.process.returncode


def servers_on(folder: Path) -> list[int]:
    """The PostgreSQL servers that live below a folder."""
    return [
        process.pid
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] == "postgres"
        and Path(process.info["cwd"] or "/").is_relative_to(folder)
    ]


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        (b"first start", signal.SIGTERM),
        (b"first start", signal.SIGINT),
        (b"migrating", signal.SIGHUP),
        (b"migrated", signal.SIGTERM),
    ],
)
def test_a_signal_during_a_first_start_ends_it_and_the_next_one_starts(
    data_dir: Path, moment: bytes, number: signal.Signals
) -> None:
    start = Start(data_dir)
    start.until_it_says(moment)
    assert start.end(number) == 0, start.said
    assert b"Traceback" not in start.said
    assert not servers_on(data_dir)
    again = Start(data_dir)
    again.until_it_says(b"wire")
    assert again.end(signal.SIGTERM) == 0, again.said


@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.7, 1.1, 1.6])
def test_a_signal_at_any_time_ends_it(data_dir: Path, seconds: float) -> None:
    start = Start(data_dir, "--workers", "2")
    time.sleep(seconds)  # Not waiting for anything: the moment itself is what is tried.
    # Before the first line of ours ran, a signal ends the process as it ends any.
    assert start.end(signal.SIGTERM) in (0, -signal.SIGTERM), start.said
    assert b"Traceback" not in start.said
    assert not servers_on(data_dir)
