"""Commands of ours run inside a test, and servers that stand in for the service."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from typer.testing import CliRunner, Result

from infrastructure.cli.app import app

NOWHERE = "127.0.0.1:1"  # nothing listens on port 1
_UNSET = ("WORKFLOWS_LISTEN", "grpc_proxy", "https_proxy", "http_proxy", "no_proxy")


def workflows(*arguments: str, stdin: bytes = b"", **environment: str) -> Result:
    """How a command ended; no setting of a developer's own reaches it."""
    variables = dict.fromkeys(_UNSET) | environment
    return CliRunner().invoke(app(), arguments, input=stdin, env=variables)


def answer(*arguments: str, stdin: bytes = b"") -> Any:
    """What a command that succeeds prints as JSON."""
    result = workflows(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(*arguments: str, stdin: bytes = b"", exit_code: int = 1, **environment: str) -> str:
    """The line that a refused command prints on stderr; it prints nothing else."""
    result = workflows(*arguments, stdin=stdin, **environment)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert isinstance(result.exception, SystemExit), f"unexpected: {result.exception!r}"
    return one_line(result.stderr)


def one_line(text: str) -> str:
    """A text without its line breaks and frames, whose places depend on the terminal."""
    return " ".join(text.replace("│", " ").split())


@contextmanager
def grpc_server() -> Iterator[tuple[grpc.Server, str]]:
    """A server to which services can still be added, and its address."""
    server = grpc.server(ThreadPoolExecutor(2))
    port = server.add_insecure_port("127.0.0.1:0")
    try:
        yield server, f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
