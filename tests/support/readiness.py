"""The readiness that a service reports."""

from grpc_health.v1 import health_pb2, health_pb2_grpc

from infrastructure.contract import SERVICE
from tests.support.client import Client

_WITHIN = 6.0  # seconds


def is_ready(client: Client) -> bool:
    """Whether the service reports that it is ready."""
    health = health_pb2_grpc.HealthStub(client.channel)
    answer = health.Check(health_pb2.HealthCheckRequest(service=SERVICE.full_name), timeout=_WITHIN)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
