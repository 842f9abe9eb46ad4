"""Reflection on both bodies of the wire: what is listed is described, and nobody is held up."""

from collections.abc import Iterator
from threading import Event
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2 as pb
from workflows import workflows_pb2

from infrastructure.rpc.reflection import V1, V1ALPHA, Reflection
from tests.support.http2 import Http2
from tests.support.wire_server import ECHO, SOON, Serving, WireServer, echo

LISTED = ("workflows.WorkflowsService", "grpc.health.v1.Health")
DESCRIBED = (workflows_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR)
VERSIONS = [V1, V1ALPHA]


@pytest.fixture
def server(serving: Serving) -> Iterator[WireServer]:
    """A server that offers it, with little patience."""
    with serving({ECHO: echo}, Reflection(LISTED, DESCRIBED).streams, patience=1.0) as server:
        yield server


def stream(server: WireServer, version: str, requests: Iterator[pb.ServerReflectionRequest]) -> Any:
    """A stream of requests and their answers."""
    encoded = (request.SerializeToString() for request in requests)
    answers = server.stream(f"/{version}/ServerReflectionInfo")(encoded, timeout=SOON)
    return (pb.ServerReflectionResponse.FromString(answer) for answer in answers)


def ask(server: WireServer, version: str, **asked: Any) -> pb.ServerReflectionResponse:
    """The answer to one request."""
    return next(stream(server, version, iter([pb.ServerReflectionRequest(**asked)])))


def pool_of(answer: pb.ServerReflectionResponse) -> DescriptorPool:
    """What a client makes of an answer that holds files."""
    encoded = answer.file_descriptor_response.file_descriptor_proto
    files = {file.name: file for file in map(FileDescriptorProto.FromString, encoded)}
    pool = DescriptorPool()

    def add(file: FileDescriptorProto) -> None:
        for needed in file.dependency:
            add(files[needed])
        pool.Add(file)

    for file in files.values():
        add(file)
    return pool


@pytest.mark.parametrize("version", VERSIONS)
def test_everything_that_is_listed_can_be_described_with_all_it_names(
    server: WireServer, version: str
) -> None:
    listed = ask(server, version, list_services="").list_services_response.service
    assert {each.name for each in listed} == {*LISTED, V1, V1ALPHA}
    symbols = 0
    for each in listed:
        answer = ask(server, version, file_containing_symbol=each.name)
        service = pool_of(answer).FindServiceByName(each.name)
        for method in service.methods:
            for name in (method.full_name, method.input_type.full_name):
                found = ask(server, version, file_containing_symbol=name)
                assert found.file_descriptor_response == answer.file_descriptor_response
                symbols += 1
    assert symbols == 2 * (10 + 3 + 2)


@pytest.mark.parametrize(
    "symbol",
    [
        "workflows.WorkflowsService.ListWorkflows",
        "workflows.ListWorkflowsRequest.filters",
        "grpc.health.v1.HealthCheckResponse.ServingStatus",
        "grpc.health.v1.HealthCheckResponse.SERVING",
        "grpc.reflection.v1.ServerReflectionRequest.message_request",
    ],
)
def test_a_symbol_may_be_anything_that_has_a_name(server: WireServer, symbol: str) -> None:
    answer = ask(server, V1, file_containing_symbol=symbol)
    [file] = map(
        FileDescriptorProto.FromString, answer.file_descriptor_response.file_descriptor_proto
    )
    assert symbol.startswith(file.package)
    assert ask(server, V1, file_by_filename=file.name).file_descriptor_response == (
        answer.file_descriptor_response
    )


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"file_containing_symbol": "workflows.Nothing"}, grpc.StatusCode.NOT_FOUND),
        ({"file_by_filename": "nothing.proto"}, grpc.StatusCode.NOT_FOUND),
        ({"all_extension_numbers_of_type": "workflows.Nothing"}, grpc.StatusCode.NOT_FOUND),
        (
            {"file_containing_extension": {"containing_type": LISTED[0], "extension_number": 1}},
            grpc.StatusCode.NOT_FOUND,
        ),
        ({}, grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_an_unknown_name_is_refused_and_the_stream_goes_on(
    server: WireServer, asked: dict[str, Any], code: grpc.StatusCode
) -> None:
    wrong, right = pb.ServerReflectionRequest(**asked), pb.ServerReflectionRequest(list_services="")
    refused, listed = stream(server, V1, iter([wrong, right]))
    assert refused.error_response.error_code == code.value[0]
    assert refused.original_request == wrong
    assert listed.list_services_response.service


def test_a_message_has_the_extensions_that_are_there(server: WireServer) -> None:
    answer = ask(server, V1, all_extension_numbers_of_type="workflows.ListWorkflowsRequest")
    assert answer.all_extension_numbers_response.base_type_name == "workflows.ListWorkflowsRequest"
    assert not answer.all_extension_numbers_response.extension_number


def test_streams_that_stay_open_hold_up_nobody_and_end_when_they_are_silent(
    server: WireServer,
) -> None:
    remembered = Event()

    def asked_once() -> Iterator[pb.ServerReflectionRequest]:
        yield pb.ServerReflectionRequest(list_services="")
        remembered.wait()

    try:
        forgotten = [stream(server, V1, asked_once()) for _ in range(9)]
        assert all(next(each).list_services_response.service for each in forgotten)
        assert ask(server, V1, list_services="").list_services_response.service
        assert server.call(ECHO)(b"a", timeout=SOON) == b"a"
        for each in forgotten:
            with pytest.raises(grpc.RpcError) as ended:
                next(each)
            code: Any = ended.value
            assert code.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    finally:
        remembered.set()


def test_messages_that_are_none_are_refused_and_do_not_keep_the_server_from_stopping(
    server: WireServer,
) -> None:
    path = f"/{V1}/ServerReflectionInfo"
    with Http2(server.address) as client:
        for _ in range(5):
            client.send(*client.call(path, b"\xff\xff"))
        for stream_id in (1, 3, 5, 7, 9):
            assert client.ending_of(stream_id)["grpc-status"] == "3"
    server.stop(within=0)
