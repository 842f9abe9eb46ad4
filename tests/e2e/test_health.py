"""Health tells balancers and watchers the truth, and reflection tells tools what there is."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from tests.support.client import WITHIN, Client
from tests.support.service import Service
from tests.support.waiting import until

SERVICE = "workflows.WorkflowsService"
V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("name", ["", SERVICE])
def test_a_service_that_runs_is_serving(client: Client, name: str) -> None:
    until(lambda: _status(client, name) == _SERVING)


def test_the_health_of_an_unknown_service_is_not_found(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _check(client, "workflows.Elsewhere")
    error: Any = caught.value
    assert error.code() == grpc.StatusCode.NOT_FOUND


def test_health_lists_all_that_it_knows(client: Client) -> None:
    until(lambda: _status(client, SERVICE) == _SERVING)
    listed = _health(client).List(health_pb2.HealthListRequest(), timeout=WITHIN).statuses
    assert {name: found.status for name, found in listed.items()} == {
        "": _SERVING,
        SERVICE: _SERVING,
    }


@pytest.mark.parametrize("name", ["", SERVICE])
def test_a_watcher_hears_of_a_stop_while_calls_are_still_answered(
    serve: Callable[..., Service], name: str
) -> None:
    service = serve()
    until(lambda: _status(service.client, name) == _SERVING)
    watch = _health(service.client).Watch(health_pb2.HealthCheckRequest(service=name))
    assert next(watch).status == _SERVING
    service.tell_to_stop()
    assert next(watch).status == _NOT_SERVING
    assert not service.has_ended()
    watch.cancel()
    assert service.wait() == 0


@pytest.mark.parametrize("version", [V1, V1ALPHA])
def test_reflection_lists_the_services(client: Client, version: str) -> None:
    answer = _reflect(client, version, list_services="")
    assert SERVICE in [service.name for service in answer.list_services_response.service]


@pytest.mark.parametrize("version", [V1, V1ALPHA])
@pytest.mark.parametrize("symbol", [SERVICE, "workflows.CreateWorkflowRequest"])
def test_reflection_describes_what_is_listed(client: Client, version: str, symbol: str) -> None:
    answer = _reflect(client, version, file_containing_symbol=symbol)
    [described] = answer.file_descriptor_response.file_descriptor_proto
    assert FileDescriptorProto.FromString(described).name == "workflows/workflows.proto"


def test_forgotten_reflection_streams_hold_up_neither_health_nor_a_stop(
    serve: Callable[..., Service],
) -> None:
    service = serve()
    remembered = Event()

    def asked_once() -> Iterator[Any]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        remembered.wait()

    streams = [_reflection(service.client, V1)(asked_once()) for _ in range(9)]
    try:
        assert next(iter(streams[0])).list_services_response.service
        assert _check(service.client, "") == _SERVING
        service.tell_to_stop()
        assert service.wait() == 0
    finally:
        remembered.set()


def _health(client: Client) -> Any:
    return health_pb2_grpc.HealthStub(client.channel)


def _check(client: Client, name: str) -> Any:
    request = health_pb2.HealthCheckRequest(service=name)
    return _health(client).Check(request, timeout=WITHIN).status


def _status(client: Client, name: str) -> Any:
    """The status, or None while the service is not known yet."""
    with suppress(grpc.RpcError):
        return _check(client, name)
    return None


def _reflect(client: Client, version: str, **asked: str) -> Any:
    requests = iter([reflection_pb2.ServerReflectionRequest(**asked)])
    return next(iter(_reflection(client, version)(requests, timeout=WITHIN)))


def _reflection(client: Client, version: str) -> "grpc.StreamStreamMultiCallable[Any, Any]":
    return client.channel.stream_stream(
        f"/{version}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
