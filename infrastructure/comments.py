"""The comments of the contract on methods, messages and fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet


@dataclass(frozen=True, slots=True)
class Comments:
    """The contract's comments on methods, messages and fields, by their full names."""

    texts: Mapping[str, str]

    def of(self, name: str) -> str:
        """The comment on one line; empty if there is none."""
        return self.texts.get(name, "")


@cache
def comments() -> Comments:
    """The comments of the contract, as its generator wrote them beside the stubs."""
    described = FileDescriptorSet.FromString(
        (files("workflows") / "workflows.protoset").read_bytes()
    )
    return Comments({name: text for file in described.file for name, text in _commented(file)})


def _commented(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        text = " ".join(location.leading_comments.split())
        match list(location.path):
            case [4, message] if text:
                yield f"{file.package}.{file.message_type[message].name}", text
            case [4, message, 2, field] if text:
                owner = file.message_type[message]
                yield f"{file.package}.{owner.name}.{owner.field[field].name}", text
            case [6, service, 2, method] if text:
                offered = file.service[service]
                yield f"{file.package}.{offered.name}.{offered.method[method].name}", text
