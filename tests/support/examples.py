"""The examples for clients, run as they stand in the README but for the address."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.go_client.workspace import GoWorkspace

SNIPPETS = Path(__file__).parents[1] / "e2e" / "snippets"
REPORTS = 300
"""How many reports an example makes as it stands."""

Program = Sequence[str | Path]
Example = Callable[[str, Path, int], Program]
"""Makes a program, in a folder, that calls the service at an address and makes so many reports."""


def python_example(address: str, folder: Path, reports: int = REPORTS) -> Program:
    """The example for Python."""
    script = folder / "client.py"
    script.write_text(example("client.py", address, reports))
    return (sys.executable, script)


def go_example(address: str, folder: Path, reports: int = REPORTS) -> Program:
    """The example for Go. Skips the test if Go or its modules are not available."""
    workspace = GoWorkspace(folder / "go")
    workspace.add("example", example("client.go", address, reports))
    assert not workspace.run("gofmt", "-l", "example", "stubs/pkg/proto/go/workflows/client.go")
    workspace.run("go", "vet", "./example")
    return (workspace.build("example"),)


def example(name: str, address: str, reports: int) -> str:
    """The text of an example."""
    text = (SNIPPETS / name).read_text().replace("127.0.0.1:50052", address)
    assert str(REPORTS) in text
    return text.replace(str(REPORTS), str(reports))


@contextmanager
def running(
    program: Program, folder: Path
) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[[], list[str]]]]:
    """A program that runs, and the whole lines that it has printed so far."""
    output = folder / "output"
    with output.open("wb") as out, (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(program, stdout=out, stderr=errors)

    def printed() -> list[str]:
        return output.read_text().split("\n")[:-1]

    try:
        yield process, printed
    finally:
        process.kill()
        process.wait()
