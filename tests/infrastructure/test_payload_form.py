"""The form of every payload: a bounded JSON object without a name twice, whatever its kind."""

import json
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.catalogue import MAX_NESTING
from infrastructure.catalogue.form import LARGE, form

MIB = 1024 * 1024


def nested_objects(depth: int) -> str:
    return '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)


def nested_lists(depth: int) -> str:
    return '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


def of_size(size: int, character: str = "x") -> str:
    frame = '{"a":"%s"}'
    room = size - len(frame % "")
    width = len(character.encode())
    return frame % (character * (room // width) + "x" * (room % width))


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("{}", id="empty object"),
        pytest.param(' \t\r\n{"a" : 1}\n', id="whitespace around"),
        pytest.param('{"a":{"a":1},"b":[{"a":1},{"a":2}]}', id="one name in several objects"),
        pytest.param('{"a:":1,"b\\u003A":[":",{"a":":"}]}', id="colons in names and values"),
        pytest.param('{"a":1,"b":1e999,"c":' + "9" * 4000 + "}", id="numbers that no float holds"),
        pytest.param('{"a":"' + "7" * 5000 + '","b":1}', id="5000 digits in a text"),
        pytest.param('{"a":"\\u0000"}', id="escaped NUL"),
        pytest.param('{"\\ud83d\\ude80":"🚀"}', id="surrogate pair"),
        pytest.param('{"a":-0.0e-1}', id="number in any spelling"),
        pytest.param('{"a":' + "9" * 4000 + "}", id="4000 digits"),
        pytest.param(nested_objects(64), id="64 objects deep"),
        pytest.param(nested_lists(64), id="64 lists deep"),
        pytest.param('{"a":[' + "[]," * 100 + "{}]}", id="wide, not deep"),
        pytest.param('{"a":"' + "[{" * 100 + '"}', id="brackets in a text"),
        pytest.param(of_size(MIB), id="1 MiB"),
        pytest.param(of_size(MIB, "é"), id="1 MiB of two-byte characters"),
        pytest.param(of_size(MIB, "🚀"), id="1 MiB of four-byte characters"),
    ],
)
def test_a_json_object_within_the_bounds_is_accepted(payload: str) -> None:
    assert form(payload) is None


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="blank"),
        pytest.param("[]", id="list"),
        pytest.param("null", id="null"),
        pytest.param("1", id="number"),
        pytest.param('"{}"', id="text"),
        pytest.param("{", id="cut off"),
        pytest.param("{}{}", id="two documents"),
        pytest.param('{"a":1,}', id="trailing comma"),
        pytest.param("{'a':1}", id="single quotes"),
        pytest.param("{a:1}", id="bare name"),
        pytest.param('{"a":01}', id="leading zero"),
        pytest.param('{"a":1} // why', id="comment"),
        pytest.param("\ufeff{}", id="byte order mark"),
        pytest.param('{"a":NaN}', id="NaN"),
        pytest.param('{"a":Infinity}', id="Infinity"),
        pytest.param('{"a":-Infinity}', id="-Infinity"),
        pytest.param('{"a":"\x00"}', id="NUL in a text"),
        pytest.param("{}\x00", id="NUL at the end"),
        pytest.param('{"a":"\n"}', id="line break in a text"),
        pytest.param('{"a":"\\ud800"}', id="escaped lone high surrogate"),
        pytest.param('{"a":"\\udc00\\ud800"}', id="escaped surrogates in the wrong order"),
        pytest.param('{"\\ud800":1}', id="escaped lone surrogate in a name"),
        pytest.param('{"a":"\\x41"}', id="unknown escape"),
        pytest.param('{"a":' + "9" * 5000 + "}", id="5000 digits"),
        pytest.param(nested_objects(65), id="65 objects deep"),
        pytest.param(nested_lists(65), id="65 lists deep"),
        pytest.param(nested_lists(500_000), id="half a million lists deep"),
        pytest.param('{"a":' * 100_000, id="a hundred thousand objects, never closed"),
        pytest.param(of_size(MIB + 1), id="1 MiB and a byte"),
        pytest.param(of_size(MIB + 1, "é"), id="1 MiB and a byte, two-byte characters"),
    ],
)
def test_all_else_is_refused(payload: str) -> None:
    assert form(payload)


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        ("", "line 1, column 1"),
        ('{"a":tru}', "line 1, column"),
        ('{\n "a": 1,\n "é": ü\n}', "line 3, column 7"),
        ('{"a":[1 2]}', "line 1, column 9"),
        ('{"a":\n"x', "line 2, column 3"),
        ('{"a":"\\ud800"}', "line 1, column 7"),
    ],
)
def test_text_that_is_no_json_says_where_it_breaks(payload: str, place: str) -> None:
    assert place in str(form(payload))


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ('{"a":1,"a":1}', '"a"'),
        ('{"x":[{"b":1},{"b":2,"c":3,"b":4}]}', '"b"'),
        ('{"a":1,"\\u0061":2}', '"a"'),
        ('{"a:":1,"a\\u003a":"\\u003a"}', '"a:"'),
        ('{"":1,"":[":",":"]}', '""'),
        ('{"b":1e999,"b":' + "9" * 4000 + "}", '"b"'),
    ],
)
def test_a_name_twice_in_one_object_is_named(payload: str, name: str) -> None:
    assert f"the name {name} twice" in str(form(payload))


@pytest.mark.parametrize("inner", ['{"b":1,"b":2}', "[" * 64 + "]" * 64, "nul", "7" * 4097])
@pytest.mark.parametrize("count", [2_000, 20_000])
def test_one_fault_in_a_large_payload_is_found(inner: str, count: int) -> None:
    many = ",".join(['{"b":[1,"\\"x"],"c":{}}'] * count)
    assert form(f'{{"a":[{many}]}}') is None
    assert form(f'{{"a":[{many},{inner}]}}')


def _array(items: list[str]) -> str:
    return f"[{','.join(items)}]"


def _object(members: list[tuple[str, str]]) -> str:
    return f"{{{','.join(f'{name}: {value}' for name, value in members)}}}"


_NAMES = st.sampled_from(['"a"', '"\\u0061"', '":"', '"\\u003a"'])
_VALUES = st.recursive(
    st.sampled_from(["1", '"[{"', '":"', "1e999", '"\\u003a\\\\"', "null"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(_array)
        | st.lists(st.tuples(_NAMES, inner), max_size=3).map(_object)
    ),
    max_leaves=20,
)


# Large payloads are read in other ways than small ones: one way for many lists, one for others.
_PADDINGS = st.sampled_from(["", " " * LARGE, "[]," * LARGE])


@for_all(_VALUES, st.integers(0, 70), _PADDINGS)
def test_it_agrees_with_a_plain_reader(inner: str, depth: int, padding: str) -> None:
    payload = '{"x":[' + padding + "[" * depth + inner + "]" * depth + "]}"
    assert (form(payload) is None) == is_plainly_right(payload)


@for_all(st.text('{}[]":,.-+0123eaunfltrsNI\\/ \n') | st.text())
def test_what_is_accepted_is_an_object_to_any_reader_of_json(text: str) -> None:
    for candidate in (text, f"{{{text}}}", f'{{"a":{text}}}', f'{{"a":"{text}"}}'):
        if form(candidate) is None:
            assert isinstance(json.loads(candidate), dict)


def is_plainly_right(payload: str) -> bool:
    """Whether JSON text is an object within the bounds, found in the plainest way."""
    repeats = False

    def look(members: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeats
        repeats |= len(dict(members)) < len(members)
        return dict(members)

    document = json.loads(payload, object_pairs_hook=look)
    return not repeats and _nesting(document) <= MAX_NESTING


def _nesting(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_nesting, inner), default=0) if isinstance(value, dict | list) else 0
