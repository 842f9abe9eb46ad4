"""A process of attackers: what they cost must not slow the neighbour who is measured."""

import os
import subprocess
import sys
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import Self

import grpc

from tests.abuse.callers import BY_CALLS
from tests.abuse.frames import BY_FRAMES
from tests.support.client import Refused

ATTACKS = BY_FRAMES | BY_CALLS
"""Every attack, by its name."""
AT_ONCE = 4  # threads, each of which attacks again and again
_FAILURES = (OSError, Refused, grpc.RpcError)  # The service may refuse, and close connections.


class Attackers:
    """Attacks the service at an address, in some ways at a time."""

    def __init__(self, address: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.abuse.attackers", address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self, *attacks: str) -> None:
        """Begins attacks, which go on until `end`; returns when one of them was done once."""
        assert self._say(*attacks) == "begun"

    def end(self) -> None:
        """Ends the attacks; returns when the last connection is closed."""
        assert self._say() == "over"

    def _say(self, *words: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{' '.join(words)}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


def _attack(name: str, address: str, over: Event, once: Event) -> None:
    while not over.is_set():
        with suppress(*_FAILURES):
            ATTACKS[name](address)
        once.set()


def _main(address: str) -> None:
    over = Event()
    threads: list[Thread] = []
    for line in sys.stdin:
        if names := line.split():
            over, once = Event(), Event()
            threads = [
                Thread(target=_attack, args=(name, address, over, once), daemon=True)
                for name in names * max(1, AT_ONCE // len(names))
            ]
            for thread in threads:
                thread.start()
            once.wait()
        else:
            over.set()
            for thread in threads:
                thread.join()
        sys.stdout.write("begun\n" if names else "over\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main(sys.argv[1])
