"""The loads: h2load, which repeats one call, and our own in Go, which makes different ones."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.bodies import SERVICE
from tests.benchmarks.processes import Server

GIVE_UP_AFTER = 300  # seconds
_SOURCE = Path(__file__).parent / "load"
_RATE = re.compile(r"^finished in [^,]+, ([\d.]+) req/s", re.MULTILINE)


class LoadMissing(Exception):
    """A program that makes the load is not on this machine."""


class CallsFailed(Exception):
    """Not every call of a measurement did what it should, so its speed means nothing."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """How many calls are under way at any moment."""

    connections: int
    each: int

    @property
    def calls(self) -> int:
        """On all connections together."""
        return self.connections * self.each


ONE = InFlight(1, 1)
SIXTEEN = InFlight(4, 4)
MANY = InFlight(8, 16)  # 128
THOUSAND = InFlight(50, 20)


@dataclass(frozen=True, slots=True)
class Answered:
    """How calls were answered: calls a second, and latencies in microseconds."""

    rate: float
    p50: float
    p99: float


class Generators:
    """Both loads, with a folder for what they read."""

    def __init__(self, directory: Path) -> None:
        """Builds our own. Raises LoadMissing."""
        for program, package in (("h2load", "nghttp2-client"), ("go", "golang")):
            if shutil.which(program) is None:
                raise LoadMissing(f"{program} is missing: install Debian's {package}, for example")
        self._bodies = directory / "bodies.bin"
        self._program = directory / "load"
        self._build()

    def h2load(
        self,
        server: Server,
        method: str,
        body: bytes,
        calls: int,
        in_flight: InFlight = MANY,
        token: str = "",
    ) -> float:
        """Calls a second of one call repeated, with a token if there is one. Raises CallsFailed.

        h2load does not read grpc-status: count the effects, or make sure with `different` before.
        """
        return self._repeated(
            *("-n", str(calls), "-c", str(in_flight.connections), "-m", str(in_flight.each)),
            *("-H", "content-type: application/grpc", "-H", "te: trailers"),
            *(("-H", f"authorization: Bearer {token}") if token else ()),
            *("-d", self._written(body), f"http://{server.address}/{SERVICE}/{method}"),
        )

    def over_http(self, server: Server, method: str, body: bytes, calls: int) -> float:
        """Calls a second of one call of the HTTP door repeated, 128 in flight, a connection each.

        Raises CallsFailed.
        """
        return self._repeated(
            *("--h1", "-n", str(calls), "-c", str(MANY.calls)),
            *("-H", "content-type: application/json"),
            *("-d", self._written(body), f"http://{server.http}/{SERVICE}/{method}"),
        )

    def _repeated(self, *arguments: str) -> float:
        printed = _run("h2load", *arguments)
        calls = arguments[arguments.index("-n") + 1]
        rate = _RATE.search(printed)
        if rate is None or f"status codes: {calls} 2xx" not in printed:
            raise CallsFailed(f"h2load {arguments[-1]}:\n{printed}")
        return float(rate[1])

    def _written(self, body: bytes) -> str:
        """A file with what is sent."""
        self._bodies.write_bytes(body)
        return str(self._bodies)

    def different(
        self,
        server: Server,
        method: str,
        bodies: Sequence[bytes],
        calls: int,
        in_flight: InFlight = MANY,
    ) -> Answered:
        """How calls with these bodies in turn went. Raises CallsFailed unless each answered OK."""
        self._bodies.write_bytes(b"".join(len(b).to_bytes(4, "big") + b for b in bodies))
        printed = _run(
            str(self._program),
            *("-address", server.address, "-path", f"/{SERVICE}/{method}"),
            *("-bodies", str(self._bodies), "-calls", str(calls)),
            *("-connections", str(in_flight.connections), "-inflight", str(in_flight.each)),
        )
        report = json.loads(printed)
        if report["calls"] != calls or report["ok"] != calls:
            raise CallsFailed(f"{method} at {server.name}, of {calls} calls: {report['statuses']}")
        return Answered(report["rps"], report["p50"], report["p99"])

    def _build(self) -> None:
        environment = os.environ | {"CGO_ENABLED": "0"}
        try:
            _run("go", "mod", "download", environment=environment, directory=_SOURCE)
        except CallsFailed as offline:
            raise LoadMissing(f"the load generator's one module is missing: {offline}") from None
        _run(
            *("go", "build", "-trimpath", "-o", str(self._program), "."),
            environment=environment,
            directory=_SOURCE,
        )


def _run(
    *command: str, environment: dict[str, str] | None = None, directory: Path | None = None
) -> str:
    """What a program printed. It is killed when it takes too long, and on Ctrl-C."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            timeout=GIVE_UP_AFTER,
            env=environment,
            cwd=directory,
        )
    except subprocess.CalledProcessError as failed:
        raise CallsFailed(f"{Path(command[0]).name}: {failed.stderr or failed.stdout}") from None
    except subprocess.TimeoutExpired:
        raise CallsFailed(f"{Path(command[0]).name} did not end in {GIVE_UP_AFTER} s") from None
    return done.stdout
