"""The contract as people type it: methods by any of their names, and what fields take."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import NoReturn

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

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
