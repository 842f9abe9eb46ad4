"""What every payload must be: a JSON object, bounded in size and depth, without a name twice.

Large payloads are checked as text: building their objects costs ten times as much as reading them,
and a hundred times their memory. Objects are built only if one of them may have a name twice.
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
"""The most digits of a number in a row: Python reads integers of at most 4300."""
LARGE = 64 * 1024
"""From how many characters on a payload is read in parts, and a repeated name is not named."""

_WHITESPACE = " \t\r\n"
_syntax = msgspec.json.Decoder(msgspec.Raw)
_values = msgspec.json.Decoder()
# Reads a number that no float can hold as infinity, which no schema takes for a number.
_values_with_infinity = msgspec.json.Decoder(float_hook=float)
_ALL_BUT_STRUCTURE = b" \t\r\n,.+-0123456789eEtrufalsn"
_ALL_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_TOO_MANY_DIGITS = b"0" * (MAX_DIGITS + 1)
_AS_BITS = bytes.maketrans(b"{}[]", b"1010")
_TOO_DEEP = f"is nested too deep; a nesting of at most {MAX_NESTING} is accepted"
_MALFORMED = re.compile(r"JSON is malformed: (?P<what>.*) \(byte (?P<byte>\d+)\)")
_LONE_SURROGATE = re.compile(
    r"\\u[dD](?:[89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u[dD])[c-fC-F])"
)


def form(payload: str) -> str | None:
    """What is wrong with the form of a payload and what would be accepted; None if it is right."""
    size = len(payload) if payload.isascii() else len(payload.encode())
    if size > MAX_PAYLOAD_BYTES:
        return f"is {size} bytes long; at most {MAX_PAYLOAD_BYTES} are accepted"
    try:
        _syntax.decode(payload)
    except RecursionError:
        return _TOO_DEEP
    except msgspec.DecodeError as broken:
        return _broken(payload, str(broken))
    if not payload.lstrip(_WHITESPACE).startswith("{"):
        return "is not a JSON object; {...} is accepted"
    if len(payload) > MAX_DIGITS and _has_a_long_number(payload):
        return f"holds a number of more than {MAX_DIGITS} digits; fewer are accepted"
    return _nested_or_repeated(payload)


def _nested_or_repeated(payload: str) -> str | None:
    """What is wrong with the objects and arrays of a JSON object."""
    if payload.count("{") + payload.count("[") > MAX_NESTING:
        structure = _structure(payload)
        if _nesting(structure) > MAX_NESTING:
            return _TOO_DEEP
        objects = structure.count(b"{") - structure.count(b"{}")
        if structure.count(b":") == objects:
            return None  # Each object has one name at most.
    elif payload.count(":") <= 1:
        return None
    return _repeated_name(payload)


def built(payload: str | msgspec.Raw) -> Any:
    """The value of a payload of the right form, or of a part of it."""
    try:
        return _values.decode(payload)
    except msgspec.DecodeError:  # A number that no float can hold.
        return _values_with_infinity.decode(payload)


def _broken(payload: str, complaint: str) -> str:
    """Where the text stops being JSON."""
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
    return _outside_strings(payload).translate(None, _ALL_BUT_STRUCTURE)


def _outside_strings(payload: str) -> bytes:
    """JSON text without its strings, all of it ASCII."""
    if "\\" in payload:
        payload = payload.replace("\\\\", "").replace('\\"', "")
    return "".join(payload.split('"')[::2]).encode()


def _has_a_long_number(payload: str) -> bool:
    return _TOO_MANY_DIGITS in payload.encode().translate(
        _ALL_DIGITS_ALIKE
    ) and _TOO_MANY_DIGITS in _outside_strings(payload).translate(_ALL_DIGITS_ALIKE)


def _nesting(structure: bytes) -> int:
    """How deep brackets and braces stand inside one another.

    Each one is a bit, 1 opens and 0 closes, and eight of them are looked up at once.
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
    """For each byte of eight steps: where they lead (signed), and the highest point on the way."""
    nets, peaks = bytearray(), bytearray()
    for byte in range(256):
        heights = list(accumulate(1 if byte >> bit & 1 else -1 for bit in range(7, -1, -1)))
        nets.append(heights[-1] & 0xFF)
        peaks.append(max(0, *heights))
    return bytes(nets), bytes(peaks)


def _repeated_name(payload: str) -> str | None:
    """What is wrong if an object has a name twice.

    A builder keeps one of two members with the same name, so that fewer colons come out than went
    in. A colon that is spelled as an escape comes out as a colon.
    """
    colons = payload.count(":")
    if "\\u003" in payload:
        escaped = payload.replace("\\\\", "")
        colons += escaped.count("\\u003a") + escaped.count("\\u003A")
    if msgspec.json.encode(built(payload)).count(b":") == colons:
        return None
    if len(payload) > LARGE:
        return "holds an object with a name twice; each name once is accepted"
    repeated: list[str] = []

    def look(members: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in members]
        repeated.extend(name for name in names if names.count(name) > 1)

    json.loads(payload, object_pairs_hook=look)
    return f"holds the name {json.dumps(repeated[0][:40])} twice in one object; once is accepted"
