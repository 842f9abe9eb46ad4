"""Which body of the wire runs: the fast one if it knows the grpcio that is installed."""

from typing import Literal, Protocol

import grpc
import structlog

from infrastructure.wire.calls import Services, Wire
from infrastructure.wire.limits import Limits


class Body(Protocol):
    """A class of wires."""

    @property
    def pending(self) -> int:
        """How many calls the core may keep that the wire has not asked for yet."""
        ...

    def __call__(self, server: grpc.Server, services: Services, limits: Limits) -> Wire:
        """A wire on a server that has not started."""
        ...


Choice = Literal["auto", "direct", "handled"]
_log = structlog.get_logger()


def body(choice: Choice, grpcio: str = grpc.__version__) -> Body:
    """The body of the wire for a choice and a version of grpcio. Logs which one and why.

    Raises ImportError if the choice is `direct` and this grpcio lacks what that body needs.
    """
    # Each body is imported only if it runs: `direct` needs internals that may be missing.
    if choice != "handled" and _knows(grpcio, asked=choice == "direct"):
        from infrastructure.wire.direct import DirectWire  # noqa: PLC0415 - see above

        reason = "setting" if choice == "direct" else f"grpcio {grpcio} is known"
        _log.info("wire", body="direct", reason=reason)
        return DirectWire
    from infrastructure.wire.handled import HandledWire  # noqa: PLC0415 - see above

    reason = "setting" if choice == "handled" else f"grpcio {grpcio} is not known"
    _log.info("wire", body="handled", reason=reason)
    return HandledWire


def _knows(grpcio: str, *, asked: bool) -> bool:
    """Whether the fast body may run. Raises ImportError if it was asked for and cannot."""
    try:
        from infrastructure.wire.direct import PASSED_WITH  # noqa: PLC0415 - see above
    except ImportError:
        if asked:
            raise
        return False
    return asked or grpcio in PASSED_WITH
