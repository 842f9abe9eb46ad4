"""What every payload must be: a JSON object, bounded in size and depth, without a name twice.

Large payloads are checked as text: building their objects costs ten times as much as reading them,
and a hundred times their memory. To compare names, one object at a time is built.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from operator import add
from typing import Any

import msgspec

from domain.catalogue import MAX_NESTING, MAX_PAYLOAD_BYTES

MAX_DIGITS = 4096
"""The most consecutive digits of a number: Python reads integers of at most 4300."""
LARGE = 16 * 1024
"""A payload of at least this many bytes is checked as text."""
NOT_BUILT = object()

_WHITESPACE = " \t\r\n"
_syntax = msgspec.json.Decoder(msgspec.Raw)
_values = msgspec.json.Decoder()
# Reads a number too large for a float as infinity; no schema accepts that as a number.
_values_with_infinity = msgspec.json.Decoder(float_hook=float)
_ALL_BUT_STRUCTURE = bytes(set(range(256)) - set(b'{}[]:"'))
_ALL_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_TOO_MANY_DIGITS = b"0" * (MAX_DIGITS + 1)
_AS_BITS = bytes.maketrans(b"{}[]", b"1010")
_TOO_DEEP = f"is nested too deep; a nesting of at most {MAX_NESTING} is accepted"
_BRACE_OR_STRING = re.compile(
    r"""[^{}"]*+(?:([{}])|"((?:[^"\\]++|\\.)*+)"(:|[ \t\r\n]++:)?)"""  # A colon follows a name.
)
_MALFORMED = re.compile(r"JSON is malformed: (?P<what>.*) \(byte (?P<byte>\d+)\)")
_LONE_SURROGATE = re.compile(
    r"\\u[dD](?:[89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u[dD])[c-fC-F])"
)


def form(payload: str) -> str | None:
    """What is wrong with the form of a payload and what is accepted; None if it is right."""
    return examined(payload)[0]


def examined(payload: str) -> tuple[str | None, Any]:
    """As `form`, and the payload's value if it had to be built; NOT_BUILT otherwise."""
    size = len(payload) if payload.isascii() else len(payload.encode())
    if size > MAX_PAYLOAD_BYTES:
        return f"is {size} bytes long; at most {MAX_PAYLOAD_BYTES} are accepted", NOT_BUILT
    if size > MAX_DIGITS and _has_a_long_number(payload):
        return f"holds a number of more than {MAX_DIGITS} digits; fewer are accepted", NOT_BUILT
    try:
        document = built(payload) if size < LARGE else NOT_BUILT
        if document is NOT_BUILT:
            _syntax.decode(payload)
    except RecursionError:
        return _TOO_DEEP, NOT_BUILT
    except msgspec.DecodeError as broken:
        return _broken(payload, str(broken)), NOT_BUILT
    if not (isinstance(document, dict) or payload.lstrip(_WHITESPACE).startswith("{")):
        return "is not a JSON object; {...} is accepted", NOT_BUILT
    return _inside(payload, document)


def _inside(payload: str, document: Any) -> tuple[str | None, Any]:
    """As `examined`, for the text of a JSON object."""
    names = payload.count(":")
    if payload.count("{") + payload.count("[") > MAX_NESTING:
        structure = _structure(payload)
        if _nesting(structure) > MAX_NESTING:
            return _TOO_DEEP, document
        names = structure.count(b":")
        if names == structure.count(b"{") - structure.count(b"{}"):
            return None, document  # Each object has one name at most.
    if names <= 1:
        return None, document
    if document is NOT_BUILT:
        return _name_twice(payload), document
    return (_name_twice_in_objects(payload) if _lost_a_name(payload, document) else None), document


def built(payload: str | msgspec.Raw) -> Any:
    """The value of JSON text. Raises msgspec.DecodeError if it is none, or RecursionError."""
    try:
        return _values.decode(payload)
    except msgspec.ValidationError:  # A number that no float can hold.
        return _values_with_infinity.decode(payload)


def _broken(payload: str, complaint: str) -> str:
    """The place of the first error in the JSON text."""
    if found := _MALFORMED.fullmatch(complaint):
        what = found["what"]
        place = len(payload.encode()[: int(found["byte"])].decode(errors="ignore"))
    elif lone := _LONE_SURROGATE.search(payload):
        what, place = "half of a surrogate pair", lone.start()
    else:
        what, place = "the text ends too early", len(payload)
    line = payload.count("\n", 0, place) + 1
    column = place - payload.rfind("\n", 0, place)
    return f"is no JSON: {what} at line {line}, column {column}; a JSON object is accepted"


def _structure(payload: str) -> bytes:
    """The brackets, braces and colons of JSON text in their order, without those in strings."""
    text = _without_escapes(payload).translate(None, _ALL_BUT_STRUCTURE)
    # Two quotes in a row do not matter: what follows is inside of a string or not, as before.
    return b"".join(text.replace(b'""', b"").split(b'"')[::2])


def _without_escapes(payload: str) -> bytes:
    """JSON text in which each quote begins or ends a string."""
    text = payload.encode()
    return text.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in text else text


def _has_a_long_number(payload: str) -> bool:
    if _TOO_MANY_DIGITS not in payload.encode().translate(_ALL_DIGITS_ALIKE):
        return False
    outside_strings = b" ".join(_without_escapes(payload).split(b'"')[::2])
    return _TOO_MANY_DIGITS in outside_strings.translate(_ALL_DIGITS_ALIKE)


def _nesting(structure: bytes) -> int:
    """How deep brackets and braces stand inside one another.

    Each bracket is a bit: 1 opens, 0 closes. Eight bits are looked up at once.
    """
    bits = structure.translate(_AS_BITS, b":")
    bits += b"0" * (-len(bits) % 8)
    steps = int(bits, 2).to_bytes(len(bits) // 8, "big")
    nets, peaks = _byte_tables()
    before = accumulate(memoryview(steps.translate(nets)).cast("b"), initial=0)
    heights: Iterator[int] = map(add, before, steps.translate(peaks))
    return max(heights)


@cache
def _byte_tables() -> tuple[bytes, bytes]:
    """For each byte of eight steps: the change of depth (signed), and the greatest depth within."""
    nets, peaks = bytearray(), bytearray()
    for byte in range(256):
        heights = list(accumulate(1 if byte >> bit & 1 else -1 for bit in range(7, -1, -1)))
        nets.append(heights[-1] & 0xFF)
        peaks.append(max(0, *heights))
    return bytes(nets), bytes(peaks)


def _lost_a_name(payload: str, document: Any) -> bool:
    """Whether an object has a name twice.

    The builder keeps one of two members with the same name, so its output has fewer colons than its
    input. An escaped colon in the input is a plain colon in the output.
    """
    colons = payload.count(":")
    if "\\u003" in payload:
        escaped = payload.replace("\\\\", "")
        colons += escaped.count("\\u003a") + escaped.count("\\u003A")
    return msgspec.json.encode(document).count(b":") != colons


def _name_twice(payload: str) -> str | None:
    """The complaint about a name that is twice in one object, of a large payload."""
    # Building lists costs as much as reading so many names: what is quicker is done.
    few_names = payload.count('"') // 2 + 2 * payload.count("{") < payload.count("[")
    return (_name_twice_in_text if few_names else _name_twice_in_objects)(payload)


def _name_twice_in_text(payload: str) -> str | None:
    """As `_name_twice`; reads names and braces only."""
    outer: list[set[str]] = []
    names = set[str]()
    for brace, text, colon in _BRACE_OR_STRING.findall(payload):
        if colon:
            name = json.loads(f'"{text}"') if "\\" in text else text
            if name in names:
                return _twice(name)
            names.add(name)
        elif brace == "{":
            outer.append(names)
            names = set()
        elif brace:
            names = outer.pop()
    return None


class _NameTwice(Exception):
    """An object has this name twice."""


def _name_twice_in_objects(payload: str) -> str | None:
    """As `_name_twice`; builds each object, and forgets it when it has seen its names."""
    try:
        _names.decode(payload)
    except _NameTwice as twice:
        return _twice(str(twice))
    return None


def _see_names(members: list[tuple[str, Any]]) -> None:
    """Raises _NameTwice if two of an object's members have one name."""
    if len(members) > 1 and len(dict(members)) < len(members):
        seen = set[str]()
        for name, _ in members:
            if name in seen:
                raise _NameTwice(name)
            seen.add(name)


# Of values, only names matter: numbers are not read.
_names = json.JSONDecoder(object_pairs_hook=_see_names, parse_float=bool, parse_int=bool)


def _twice(name: str) -> str:
    return f"holds the name {json.dumps(name[:40])} twice in one object; once is accepted"
