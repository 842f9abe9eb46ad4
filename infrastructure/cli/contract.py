"""The contract as people type it: methods by any of their names, fields with their comments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import NoReturn

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from infrastructure.cli.refusing import misused
from infrastructure.contract import SERVICE


def method_named(name: str) -> MethodDescriptor:
    """The method of this name, short or full, in any case; another name ends the command."""
    known = {each.lower(): method for each, method in SERVICE.methods_by_name.items()}
    short = name.strip("/").replace("/", ".").lower()
    short = short.removeprefix(f"{SERVICE.full_name.lower()}.")
    if short not in known:
        _refuse(name, short, known)
    return known[short]


def _refuse(name: str, short: str, known: Mapping[str, MethodDescriptor]) -> NoReturn:
    alike = get_close_matches(short, known, n=3) or [each for each in known if short in each]
    near = [known[each].name for each in alike]
    listed = near or [method.name for method in SERVICE.methods]
    there = "is one of these meant?" if near else "there are"
    misused("\n  ".join([f"there is no method {name!r}; {there}", *listed]))


def type_of(field: FieldDescriptor) -> str:
    """What a field takes, in words."""
    if field.message_type:
        kind = "object"
    else:
        kind = {
            FieldDescriptor.CPPTYPE_STRING: "text",
            FieldDescriptor.CPPTYPE_BOOL: "true or false",
        }.get(field.cpp_type, "number")
    return f"list of {kind}" if field.is_repeated else kind


def fields_of(kind: Descriptor) -> str:
    """The fields of a message in one line."""
    return ", ".join(f"{field.name} ({_type_with_fields(field)})" for field in kind.fields)


def _type_with_fields(field: FieldDescriptor) -> str:
    inner = f" of {fields_of(field.message_type)}" if field.message_type else ""
    return f"{type_of(field)}{inner}"


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
