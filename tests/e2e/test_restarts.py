"""The examples for clients go on while the service restarts under them."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.go_client.workspace import GoWorkspace
from tests.support.database import value
from tests.support.service import Service
from tests.support.waiting import until

SNIPPETS = Path(__file__).with_name("snippets")
REPORTS = 300
RECORDED = "SELECT count(*) FROM workflow_events"
WITHIN = 120.0  # seconds: patience with a slow machine, not an expectation


def python_example(address: str, folder: Path) -> Sequence[str | Path]:
    """The command of the example for Python."""
    script = folder / "client.py"
    script.write_text(example("client.py", address))
    return (sys.executable, script)


def go_example(address: str, folder: Path) -> Sequence[str | Path]:
    """The command of the example for Go."""
    workspace = GoWorkspace(folder / "go")
    workspace.add("example", example("client.go", address))
    assert not workspace.run("gofmt", "-l", "example", "stubs/pkg/proto/go/workflows/client.go")
    workspace.run("go", "vet", "./example")
    return (workspace.build("example"),)


@pytest.mark.parametrize("command", [python_example, go_example])
def test_an_example_makes_each_report_once_while_the_service_stops_and_dies(
    command: Callable[[str, Path], Sequence[str | Path]], database: str, tmp_path: Path
) -> None:
    with Service("--database-url", database) as first:
        address = first.address
        program = command(address, tmp_path)
        with running(program, tmp_path) as (process, printed):
            until(lambda: len(printed()) > REPORTS // 10)
            first.stop()
            with Service("--database-url", database, "--listen", address) as second:
                reached = len(printed())
                until(lambda: len(printed()) > reached + REPORTS // 10)
                second.kill()
            assert len(printed()) < REPORTS, "it was over before the second server died"
            with Service("--database-url", database, "--listen", address):
                assert process.wait(WITHIN) == 0, (tmp_path / "errors").read_text()

    assert len(set(printed())) == REPORTS
    assert value(database, RECORDED) == REPORTS


def example(name: str, address: str) -> str:
    """An example that calls the service at this address."""
    return (SNIPPETS / name).read_text().replace("127.0.0.1:50052", address)


@contextmanager
def running(
    program: Sequence[str | Path], folder: Path
) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[[], list[str]]]]:
    """A program that runs, and what it has printed so far, by lines."""
    output = folder / "output"
    with output.open("wb") as out, (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(program, stdout=out, stderr=errors)
    try:
        yield process, lambda: output.read_text().splitlines()
    finally:
        process.kill()
        process.wait()
