"""Server reflection under both of its names; the messages of v1 and v1alpha are the same bytes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
AT_ONCE = 4  # streams


def handlers(service_names: tuple[str, ...]) -> list[grpc.GenericRpcHandler]:
    """Reflection of these services and of itself, on threads of its own.

    A stream holds a thread while it is open: one that a client forgets must not hold up health.
    """
    servicer = reflection.ReflectionServicer((*service_names, V1, V1ALPHA))

    def info(requests: Iterator[Any], context: Any) -> Iterator[Any]:
        yield from servicer.ServerReflectionInfo(requests, context)

    behaviour: Any = info
    behaviour.experimental_thread_pool = ThreadPoolExecutor(AT_ONCE, "reflection")
    method = grpc.stream_stream_rpc_method_handler(
        behaviour,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [
        grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method})
        for name in (V1, V1ALPHA)
    ]
