"""The gRPC server: what it offers, and where it listens."""

import grpc
from grpc_health.v1 import health_pb2_grpc

from infrastructure.rpc import guard, reflection
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.health import HealthServicer
from infrastructure.rpc.servicer import SERVICE, WorkflowsServicer

HEALTH = "grpc.health.v1.Health"
_MAX_METADATA = 8 * 1024  # bytes


class AddressInUse(Exception):
    """Something else listens on the address."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} is in use. Stop what listens there, or serve elsewhere:"
            " workflows serve --listen 127.0.0.1:50053"
        )


def build(
    servicer: WorkflowsServicer, health: HealthServicer, gate: Gate, *, shares_port: bool
) -> grpc.aio.Server:
    """A server that is not started yet; `shares_port` lets several processes serve one port."""
    server = grpc.aio.server(
        options=[
            ("grpc.so_reuseport", int(shares_port)),
            ("grpc.max_metadata_size", _MAX_METADATA),
        ]
    )
    server.add_generic_rpc_handlers((guard.handlers(SERVICE, servicer.methods(), gate),))
    server.add_generic_rpc_handlers(tuple(reflection.handlers((SERVICE, HEALTH))))
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    return server


def bind(server: grpc.aio.Server, address: str) -> int:
    """Binds the address and answers with its port. Raises AddressInUse."""
    try:
        return server.add_insecure_port(address)
    except RuntimeError as taken:
        raise AddressInUse(address) from taken
