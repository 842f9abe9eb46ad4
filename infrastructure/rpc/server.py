"""The gRPC server: what it offers, and where it listens."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2_grpc

from infrastructure.contract import SERVICE
from infrastructure.rpc import reflection
from infrastructure.rpc.errors import refusal_of
from infrastructure.rpc.health import HealthServicer
from infrastructure.wire.calls import Call, Method, NotServed, Services, Stream, Wire
from infrastructure.wire.choice import Body
from infrastructure.wire.limits import Limits

HEALTH = "grpc.health.v1.Health"
_OFFERED = (SERVICE.full_name, HEALTH)
_CLOSE_WITHIN = 5.0  # seconds
_THREADS = 2  # for health, whose calls are short


class AddressInUse(Exception):
    """Something else listens on the address."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} is in use. Stop what listens there, or serve elsewhere:"
            " workflows serve --listen 127.0.0.1:50053"
        )


class Server:
    """Our methods beside health and reflection, on one address."""

    def __init__(
        self, body: Body, health: HealthServicer, limits: Limits, *, shares_port: bool
    ) -> None:
        """`body` is that of the wire. With `shares_port`, several processes may serve one port."""
        self._body = body
        self._limits = limits
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, "health"), options=limits.options(shares_port=shares_port)
        )
        self._wire: Wire | None = None
        self._server.add_generic_rpc_handlers(tuple(reflection.handlers(_OFFERED)))
        health_pb2_grpc.add_HealthServicer_to_server(health, self._server)

    def start(self, address: str, methods: Mapping[str, Method]) -> int:
        """Serves methods, by their full names, on an address, and returns its port.

        Raises AddressInUse.
        """
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as taken:
            raise AddressInUse(address) from taken
        self._wire = self._body(self._server, Services(methods, refuse=_refuse), self._limits)
        self._server.start()
        self._wire.open()
        return port

    def stop(self, within: float) -> None:
        """Takes no more calls, and ends those that are not answered after so many seconds."""
        self._server.stop(within).wait()

    def close(self) -> None:
        """Ends what is left of it, when it has stopped and nobody answers calls any more."""
        if self._wire is not None:
            self._wire.close(_CLOSE_WITHIN)


def _refuse(call: Call | Stream, reason: NotServed) -> None:
    """Ends a call as the guard does, with details."""
    refusal = refusal_of(reason)
    call.refuse(refusal.code, refusal.text(), refusal.trailing())
