"""The command `workflows`."""

import os
import signal
import sys
from collections.abc import Mapping

GRPC: Mapping[str, str] = {
    "GRPC_VERBOSITY": "NONE",  # Its own lines would break our logs.
    "GRPC_ENABLE_FORK_SUPPORT": "0",
    # The threads that take events then also read from the connections; otherwise several threads
    # of gRPC's own do, and wake them for each (DECISIONS.md).
    "GRPC_EXPERIMENTS": "-event_engine_listener",
}
"""gRPC's settings for this service. A variable that is set already keeps its value."""


def main() -> None:
    """Runs the command line, with gRPC set up for it."""
    # Until a command runs, Ctrl-C ends the process without a traceback of half an import.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for name, value in GRPC.items():
        os.environ.setdefault(name, value)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # text streams
    # gRPC reads its environment when it is imported, so it must be imported after this.
    from infrastructure.cli.app import app  # noqa: PLC0415 - see above

    signal.signal(signal.SIGINT, signal.default_int_handler)
    app()()
