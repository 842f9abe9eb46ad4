"""The real service as processes of its own: started by its command, stopped, killed."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.client import Client

COMMAND = Path(sys.executable).with_name("workflows")
ANNOUNCED_WITHIN = 120.0  # seconds: patience with a slow machine, not an expectation
STOPPED_WITHIN = 60.0
_KEPT = ("WORKFLOWS_WIRE", "WORKFLOWS_HTTP_LISTEN")


class NotStarted(Exception):
    """The command ended before it announced an address."""

    def __init__(self, exit_code: int, output: str) -> None:
        self.exit_code = exit_code
        self.output = " ".join(output.split())
        super().__init__(f"exit code {exit_code}: {self.output}")


class Service:
    """A process of `workflows serve`, and what it announced.

    Starting several and then waiting for each costs the time of one.
    """

    command: Sequence[str | Path] = (COMMAND,)

    def __init__(self, *flags: str, **environment: str) -> None:
        """Starts the process; `announced` waits until it serves."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the service
        self._process = subprocess.Popen(
            [*self.command, "serve", *_with_any_port(flags, environment), "--json"],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**_clean_environment(), **environment},
        )
        self._announced: Mapping[str, Any] | None = None
        self._client: Client | None = None

    @property
    def announced(self) -> Mapping[str, Any]:
        """The content of the first line of output. Raises NotStarted."""
        if self._announced is None:
            line = self._first_line()
            found = json.loads(line) if line else {"error": {"message": self.log()}}
            if "error" in found:
                raise NotStarted(self.wait(), found["error"]["message"])
            self._announced = found
        return self._announced

    @property
    def address(self) -> str:
        """Its address."""
        return str(self.announced["address"])

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def client(self) -> Client:
        """A client with a connection of its own, the same one each time."""
        if self._client is None:
            self._client = Client(self.address)
        return self._client

    def tell_to_stop(self) -> None:
        """Sends SIGTERM, and does not wait."""
        self._process.send_signal(signal.SIGTERM)

    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def wait(self) -> int:
        """The exit code, once the process has ended."""
        return self._process.wait(STOPPED_WITHIN)

    def stop(self) -> int:
        """Sends SIGTERM and returns the exit code."""
        self.tell_to_stop()
        return self.wait()

    def kill(self) -> None:
        """Sends SIGKILL: the process cleans nothing up."""
        self._process.kill()
        self.wait()

    def log(self) -> str:
        """What it wrote to stderr."""
        self._errors.seek(0)
        return self._errors.read().decode()

    def close(self) -> None:
        """Ends the process if it still runs, and frees its resources."""
        if self._client is not None:
            self._client.close()
        if not self.has_ended():
            self.tell_to_stop()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _first_line(self) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + ANNOUNCED_WITHIN
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"no address within {ANNOUNCED_WITHIN} s: {self.log()}")
            read = os.read(descriptor, 4096)
            if not read:
                break
            line += read
        return line


def _with_any_port(flags: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, ...]:
    chosen = "--listen" in flags or "WORKFLOWS_LISTEN" in environment
    return flags if chosen else ("--listen", "127.0.0.1:0", *flags)


def _clean_environment() -> Mapping[str, str]:
    """The environment without settings of the service that a developer may have made.

    Two stay for the whole suite: the body of the wire, and the HTTP door, which is off.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WORKFLOWS_") or name in _KEPT
    }
