"""Which string fields of a message that a parser refused are not UTF-8.

The parser does not tell which. So the bytes are read by the message's descriptor, as
protobuf.dev/programming-guides/encoding has it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_VARINT, _FIXED64, _LENGTH, _GROUP, _END_OF_GROUP, _FIXED32 = range(6)
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT = 10  # bytes
_MAX_PARTS = 100  # fields and groups of a message: more are not walked through
_MORE = 0x80  # In a varint, another byte follows; in UTF-8, a byte beyond ASCII.
_ASCII_ONLY = bytes(byte if byte < _MORE else ord("?") for byte in range(256))


class Broken(ValueError):
    """The bytes are no message, or one of far more parts than any of ours."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """A message in which all text is UTF-8.

    `fields` are the paths of those whose text was not; its bytes beyond ASCII are "?" now.
    """

    message: bytes
    fields: Sequence[str]


def repaired(message: bytes, kind: type[Message]) -> Repaired:
    """The message without what is not UTF-8. Raises Broken."""
    whole = bytearray(message)
    fields = []
    for path, start, end in _strings(message, 0, len(message), kind.DESCRIPTOR, ""):
        try:
            message[start:end].decode()
        except UnicodeDecodeError:
            fields.append(path)
            whole[start:end] = message[start:end].translate(_ASCII_ONLY)
    return Repaired(bytes(whole), list(dict.fromkeys(fields)))


def _strings(
    message: bytes, start: int, end: int, kind: Any, prefix: str
) -> Iterator[tuple[str, int, int]]:
    """The path and place of each string in a part of the message."""
    groups: list[int] = []
    place = start
    parts = 0
    while place < end:
        parts += 1
        tag, place = _varint(message, place, end)
        number, wire = tag >> 3, tag & 7
        length = 0
        if wire == _VARINT:
            _, place = _varint(message, place, end)
        elif wire == _LENGTH:
            length, place = _varint(message, place, end)
        elif wire in _FIXED:
            length = _FIXED[wire]
        elif wire == _GROUP:
            groups.append(number)
        elif wire != _END_OF_GROUP or not groups or groups.pop() != number:
            raise Broken
        if number == 0 or length > end - place or parts > _MAX_PARTS:
            raise Broken
        field = None if groups else kind.fields_by_number.get(number)
        if field is not None and wire == _LENGTH:
            yield from _inside(message, place, place + length, field, prefix)
        place += length
    if groups:
        raise Broken


def _inside(
    message: bytes, start: int, end: int, field: FieldDescriptor, prefix: str
) -> Iterator[tuple[str, int, int]]:
    path = f"{prefix}{field.name}"
    if field.type == FieldDescriptor.TYPE_STRING:
        yield path, start, end
    elif field.message_type is not None:
        yield from _strings(message, start, end, field.message_type, f"{path}.")


def _varint(message: bytes, place: int, end: int) -> tuple[int, int]:
    """A number and the place behind it."""
    value = 0
    for index, byte in enumerate(message[place : min(end, place + _MAX_VARINT)]):
        value |= (byte & ~_MORE) << 7 * index
        if byte < _MORE:
            return value, place + index + 1
    raise Broken
