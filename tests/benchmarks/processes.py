"""Servers as processes of their own: started, found by the line that they print, stopped by pid."""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

STARTS_WITHIN = 60.0  # seconds
STOPS_WITHIN = 20.0  # seconds

_ROOT = Path(__file__).parents[2]
_WORKFLOWS = Path(sys.executable).with_name("workflows")


class ServerFailed(Exception):
    """A server did not start."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens; `process` is the one that serves. `http` is its other address."""

    name: str
    address: str
    process: psutil.Process
    http: str = ""


@contextmanager
def service(
    dsn: str, *flags: str, program: Path = _WORKFLOWS, chosen: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A service, today's unless another program is given: durable, one worker.

    Workflows stay active at their failure maximum, so that calls can be repeated. `chosen` are
    further settings.
    """
    command = [str(program), "serve", "--listen", "127.0.0.1:0", "--database-url", dsn]
    settings = {
        "WORKFLOWS_TERMINATE_AT_THRESHOLD": "false",
        "WORKFLOWS_HTTP_LISTEN": "127.0.0.1:0",
        **(chosen or {}),
    }
    with _started("the service", [*command, "--json", *flags], settings) as server:
        yield server


@contextmanager
def reference(
    name: str, *arguments: str, settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server of tests/benchmarks/references, with these variables in its environment."""
    command = [sys.executable, "-m", f"tests.benchmarks.references.{name}", *arguments]
    with _started(name, command, settings or {}) as server:
        yield server


@contextmanager
def _started(name: str, command: Sequence[str], settings: Mapping[str, str]) -> Iterator[Server]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("WORKFLOWS_")}
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=_ROOT,
            env={**inherited, **settings},
            start_new_session=True,  # Ctrl-C reaches only this process, which passes it on.
        ) as process,
    ):
        try:
            said = _announced(name, process.stdout, errors)
            http = str(said.get("http") or "")
            yield Server(name, str(said["address"]), psutil.Process(process.pid), http)
        finally:
            _stop(process)


def _announced(name: str, answer: IO[str] | None, errors: IO[str]) -> Mapping[str, Any]:
    """The first line that a server prints, which has its address. Raises ServerFailed."""
    line = ""
    if answer is not None and select.select([answer], [], [], STARTS_WITHIN)[0]:
        line = answer.readline()
    try:
        said: Mapping[str, Any] = json.loads(line)
        said["address"]
    except (ValueError, KeyError):
        errors.seek(0)
        raise ServerFailed(f"{name} did not start: {line}{errors.read()[-2000:]}") from None
    return said


def _stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
