"""Server reflection under both of its names; the messages of v1 and v1alpha are the same bytes."""

from collections.abc import Mapping, Sequence
from functools import partial

import grpc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection_pb2 as pb

from infrastructure.rpc.symbols import Symbols
from infrastructure.wire.calls import Stream, StreamMethod

V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"


class Reflection:
    """Lists services, and describes them, their methods and messages, and itself."""

    def __init__(self, services: Sequence[str], files: Sequence[FileDescriptor]) -> None:
        """`services` are listed; `files` describe them."""
        self._services = (*services, V1, V1ALPHA)
        alpha = FileDescriptorProto.FromString(pb.DESCRIPTOR.serialized_pb)
        described = [FileDescriptorProto.FromString(file.serialized_pb) for file in files]
        self._symbols = Symbols([*described, alpha, _as_v1(alpha)])

    @property
    def streams(self) -> Mapping[str, StreamMethod]:
        """The methods, by their full names."""
        return {f"/{name}/ServerReflectionInfo": self._info for name in (V1, V1ALPHA)}

    def _info(self, message: bytes, stream: Stream) -> bool:
        try:
            request = pb.ServerReflectionRequest.FromString(message)
        except DecodeError:
            text = "The message is no ServerReflectionRequest."
            stream.refuse(grpc.StatusCode.INVALID_ARGUMENT, text)
            return False
        reply = self._reply(request)
        reply.valid_host = request.host
        reply.original_request.CopyFrom(request)
        stream.offer(partial(next, iter([reply.SerializeToString()]), None))
        return True

    def _reply(self, request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
        match request.WhichOneof("message_request"):
            case "list_services":
                listed = [pb.ServiceResponse(name=name) for name in sorted(self._services)]
                return pb.ServerReflectionResponse(
                    list_services_response=pb.ListServiceResponse(service=listed)
                )
            case "file_by_filename":
                return _files(self._symbols.file(request.file_by_filename))
            case "file_containing_symbol":
                return _files(self._symbols.file_of(request.file_containing_symbol))
            case "file_containing_extension":
                wanted = request.file_containing_extension
                return _files(
                    self._symbols.file_extending(wanted.containing_type, wanted.extension_number)
                )
            case "all_extension_numbers_of_type":
                return self._extensions(request.all_extension_numbers_of_type)
            case _:
                return _error(grpc.StatusCode.INVALID_ARGUMENT, "The request asks for nothing.")

    def _extensions(self, message: str) -> pb.ServerReflectionResponse:
        if not self._symbols.file_of(message):
            return _not_found()
        numbers = self._symbols.extensions(message)
        return pb.ServerReflectionResponse(
            all_extension_numbers_response=pb.ExtensionNumberResponse(
                base_type_name=message, extension_number=numbers
            )
        )


def _as_v1(alpha: FileDescriptorProto) -> FileDescriptorProto:
    """The file of v1, which no package of the library ships: it differs by its name alone."""
    file = FileDescriptorProto.FromString(alpha.SerializeToString())
    file.name = file.name.replace("v1alpha", "v1")
    file.package = file.package.replace("v1alpha", "v1")
    file.ClearField("options")  # The options mark v1alpha as deprecated.
    for message in file.message_type:
        for field in message.field:
            if field.type_name:  # Setting it, even to nothing, makes a field a message.
                field.type_name = field.type_name.replace(".v1alpha.", ".v1.")
    for service in file.service:
        for method in service.method:
            method.input_type = method.input_type.replace(".v1alpha.", ".v1.")
            method.output_type = method.output_type.replace(".v1alpha.", ".v1.")
    return file


def _files(files: Sequence[bytes]) -> pb.ServerReflectionResponse:
    if not files:
        return _not_found()
    return pb.ServerReflectionResponse(
        file_descriptor_response=pb.FileDescriptorResponse(file_descriptor_proto=files)
    )


def _not_found() -> pb.ServerReflectionResponse:
    return _error(grpc.StatusCode.NOT_FOUND, "This server describes nothing of that name.")


def _error(code: grpc.StatusCode, text: str) -> pb.ServerReflectionResponse:
    return pb.ServerReflectionResponse(
        error_response=pb.ErrorResponse(error_code=code.value[0], error_message=text)
    )
