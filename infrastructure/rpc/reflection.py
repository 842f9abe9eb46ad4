"""Server reflection under both of its names; the messages of v1 and v1alpha are the same bytes."""

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"


def handlers(service_names: tuple[str, ...]) -> list[grpc.GenericRpcHandler]:
    """Reflection of these services and of itself."""
    servicer = reflection.aio.ReflectionServicer((*service_names, V1, V1ALPHA))
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [
        grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method})
        for name in (V1, V1ALPHA)
    ]
