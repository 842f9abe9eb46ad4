"""An index over descriptor files: the file that defines each name of the contract."""

from collections.abc import Iterable, Iterator, Sequence

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)


class Symbols:
    """Files by their names, and by every full name that they define. Files are encoded protos."""

    def __init__(self, files: Sequence[FileDescriptorProto]) -> None:
        """Files that these import must be among them."""
        self._files = {file.name: file for file in files}
        self._homes = {name: file.name for file in files for name in _names(file)}
        self._extensions = {
            (field.extendee.removeprefix("."), field.number): file.name
            for file in files
            for field in _extensions(file.extension, file.message_type)
        }

    def file(self, name: str) -> list[bytes]:
        """A file and those that it imports, each once; empty if there is none of that name."""
        found: dict[str, FileDescriptorProto] = {}
        waiting = [name] if name in self._files else []
        while waiting:
            file = self._files[waiting.pop()]
            if file.name not in found:
                found[file.name] = file
                waiting.extend(file.dependency)
        return [file.SerializeToString() for file in found.values()]

    def file_of(self, symbol: str) -> list[bytes]:
        """The file that defines a full name, with its imports; empty if none does."""
        return self.file(self._homes.get(symbol.removeprefix("."), ""))

    def file_extending(self, message: str, number: int) -> list[bytes]:
        """The file that defines an extension of a message, with its imports; empty if none does."""
        return self.file(self._extensions.get((message.removeprefix("."), number), ""))

    def extensions(self, message: str) -> list[int]:
        """The numbers of a message's extensions, in order."""
        return sorted(number for extended, number in self._extensions if extended == message)


def _names(file: FileDescriptorProto) -> Iterator[str]:
    package = f"{file.package}." if file.package else ""
    for service in file.service:
        yield f"{package}{service.name}"
        yield from (f"{package}{service.name}.{method.name}" for method in service.method)
    yield from _inner(package, file.message_type, file.enum_type, file.extension)


def _inner(
    scope: str,
    messages: Iterable[DescriptorProto],
    enums: Iterable[EnumDescriptorProto],
    fields: Iterable[FieldDescriptorProto],
) -> Iterator[str]:
    yield from (f"{scope}{field.name}" for field in fields)
    for enum in enums:
        yield f"{scope}{enum.name}"
        yield from (f"{scope}{value.name}" for value in enum.value)
    for message in messages:
        name = f"{scope}{message.name}"
        yield name
        yield from (f"{name}.{oneof.name}" for oneof in message.oneof_decl)
        fields = (*message.field, *message.extension)
        yield from _inner(f"{name}.", message.nested_type, message.enum_type, fields)


def _extensions(
    fields: Iterable[FieldDescriptorProto], messages: Iterable[DescriptorProto]
) -> Iterator[FieldDescriptorProto]:
    yield from fields
    for message in messages:
        yield from _extensions(message.extension, message.nested_type)
