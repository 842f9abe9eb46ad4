"""The command `workflows`."""

import os


def main() -> None:
    """Runs the command line, with gRPC told to keep its own lines out of our logs."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    # gRPC reads its environment when it is imported, so it must be imported after this.
    from infrastructure.cli.app import app  # noqa: PLC0415 - see above

    app()()
