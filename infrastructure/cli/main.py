"""The command `workflows`."""

import os
from collections.abc import Mapping

GRPC: Mapping[str, str] = {
    "GRPC_VERBOSITY": "NONE",  # Its own lines would break our logs.
    "GRPC_ENABLE_FORK_SUPPORT": "0",
    # The threads that take events then also read from the connections; otherwise several threads
    # of gRPC's own do, and wake them for each (DECISIONS.md).
    "GRPC_EXPERIMENTS": "-event_engine_listener",
}
"""How this service wants gRPC; what the environment says itself stands."""


def main() -> None:
    """Runs the command line, with gRPC set up for it."""
    for name, value in GRPC.items():
        os.environ.setdefault(name, value)
    # gRPC reads its environment when it is imported, so it must be imported after this.
    from infrastructure.cli.app import app  # noqa: PLC0415 - see above

    app()()
