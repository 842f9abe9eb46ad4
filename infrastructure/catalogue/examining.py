"""The process that checks large payloads: `python -m infrastructure.catalogue.examining`.

Its standard input is a socket, the other end of which the service holds (examiner.py). It reads a
catalogue once, then questions: a kind, and a payload. It answers each with a complaint, or with
nothing if the payload is right. It ends when the service has closed the socket or has ended.
"""

import gc
import os
import signal
import socket
import struct
from contextlib import suppress

from domain.catalogue import Catalogue
from infrastructure.catalogue.loading import parse

POLITENESS = 5  # what the process gives way by to others that want its processor (nice)
_COLLECT_EVERY = 100  # questions; what a payload is built of is no cycle
_LENGTH = struct.Struct(">I")


def send(line: socket.socket, *texts: str) -> None:
    """Sends texts. Raises OSError."""
    parts = [text.encode() for text in texts]
    line.sendall(b"".join(_LENGTH.pack(len(part)) + part for part in parts))


def receive(line: socket.socket) -> str:
    """The next text. Raises EOFError if the other end has closed, or OSError."""
    (length,) = _LENGTH.unpack(_exactly(line, _LENGTH.size))
    return str(_exactly(line, length), "utf-8")


def examine(line: socket.socket, catalogue: Catalogue) -> None:
    """Answers one question. Raises EOFError or OSError."""
    kind, payload = receive(line), receive(line)
    send(line, catalogue.payload(payload, kind) or "")


def main() -> None:
    """Answers until the service is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # They are meant for the service, which closes us.
    os.nice(POLITENESS)
    with socket.socket(fileno=0) as line, suppress(EOFError, OSError):
        catalogue = parse(receive(line), receive(line))
        gc.freeze()
        gc.disable()
        while True:
            for _ in range(_COLLECT_EVERY):
                examine(line, catalogue)
            gc.collect()


def _exactly(line: socket.socket, length: int) -> bytearray:
    found = bytearray(length)
    left = memoryview(found)
    while left:
        count = line.recv_into(left)
        if not count:
            raise EOFError
        left = left[count:]
    return found


if __name__ == "__main__":
    main()
