"""The payload: a bounded JSON object in general, and what each kind needs in particular."""

import json

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from workflows_testing import strategies

from domain import payloads
from domain.fields import KINDS
from tests.support.given import create, created, fields_refused, given, update

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
        pytest.param('{"a":1,"a":2}', id="duplicate names"),
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
    assert payloads.form(payload) is None


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
def test_all_else_is_refused_whatever_the_kind(payload: str) -> None:
    assert fields_refused(lambda: update(payload=payload)) == ["payload"]
    for kind in KINDS:
        assert payloads.for_kind(payload, kind) == payloads.form(payload)


def test_the_sizes_of_these_tests_are_what_they_say() -> None:
    sizes = [len(of_size(MIB + 1, character).encode()) for character in "xé🚀"]
    assert sizes == [MIB + 1] * 3


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "https://example.com/a/b?c=d&e=%20#f",
        "HTTPS://EXAMPLE.COM",
        "http://localhost:1",
        "http://10.0.0.1:65535/",
        "http://[::1]:8080/",
        "http://user:secret@example.com",
        "https://bücher.example/ü",
    ],
)
def test_http_accepts_an_absolute_url(url: str) -> None:
    assert payloads.for_kind(f'{{"url":"{url}"}}', "http") is None


@pytest.mark.parametrize(
    "url",
    [
        '""',
        "1",
        "null",
        '["http://h"]',
        '"h"',
        '"/path"',
        '"//h/path"',
        '"http:"',
        '"http://"',
        '"http:///path"',
        '"http:/h"',
        '"http://:80"',
        '"http://user@"',
        '"ftp://h"',
        '"file:///etc/passwd"',
        '"javascript:alert(1)"',
        '"http://h:0"',
        '"http://h:65536"',
        '"http://h:port"',
        '"http://[::1"',
        '"http://a b"',
        '" http://h"',
        '"http://h\\n"',
        '"http://h\\u0000"',
    ],
)
def test_http_refuses_what_is_no_absolute_url(url: str) -> None:
    assert fields_refused(lambda: create(payload=f'{{"url":{url}}}')) == ["payload"]


def test_http_refuses_a_payload_without_url() -> None:
    assert fields_refused(lambda: create(payload='{"URL":"http://h"}')) == ["payload"]


@pytest.mark.parametrize("timeout", ["1", "0.5", "1e3", "9007199254740993", "9" * 400])
def test_http_accepts_a_positive_timeout(timeout: str) -> None:
    assert payloads.for_kind(f'{{"url":"http://h","timeout":{timeout}}}', "http") is None


@pytest.mark.parametrize(
    "timeout",
    [
        "0",
        "-0",
        "0.0",
        "-1",
        "-0.5",
        "1e999",
        "1e-999",
        "true",
        "false",
        "null",
        '"5"',
        "[5]",
        "{}",
    ],
)
def test_http_refuses_a_timeout_that_is_no_positive_number(timeout: str) -> None:
    payload = f'{{"url":"http://h","timeout":{timeout}}}'
    assert fields_refused(lambda: create(payload=payload)) == ["payload"]


@pytest.mark.parametrize("image", ["alpine", "registry:5000/a/b@sha256:00", " alpine "])
def test_docker_accepts_an_image(image: str) -> None:
    assert payloads.for_kind(f'{{"image":"{image}"}}', "docker") is None


@pytest.mark.parametrize(
    "payload",
    [
        "{}",
        '{"image":""}',
        '{"image":" "}',
        '{"image":"\\t\\n"}',
        '{"image":"\\u00a0"}',
        '{"image":null}',
        '{"image":1}',
        '{"image":["alpine"]}',
        '{"Image":"alpine"}',
    ],
)
def test_docker_refuses_a_payload_without_image(payload: str) -> None:
    assert fields_refused(lambda: create(kind="docker", payload=payload)) == ["payload"]


@pytest.mark.parametrize("payload", ["{}", '{"url":1}', '{"image":"","timeout":-1}'])
def test_script_accepts_any_object(payload: str) -> None:
    assert payloads.for_kind(payload, "script") is None


def test_every_kind_has_a_rule() -> None:
    assert set(payloads.KIND_RULES) == set(KINDS)


def test_a_payload_is_kept_byte_for_byte() -> None:
    payload = ' {"url" :"http://h", "b":1.0, "b":1E0, "c":"\\u00e9é\\/"}\n'
    assert given().when(create(payload=payload)) == [created(payload=payload)]


@for_all(st.data())
def test_what_a_kind_accepts_is_of_the_general_form(data: st.DataObject) -> None:
    kind = data.draw(strategies.kinds())
    payload = data.draw(strategies.payloads(kind))
    assert (payloads.for_kind(payload, kind), payloads.form(payload)) == (None, None)


@for_all(st.text('{}[]":,.-+0123eaunfltrsNI\\/ \n') | st.text())
def test_what_is_accepted_is_an_object_to_any_reader_of_json(text: str) -> None:
    for candidate in (text, f"{{{text}}}", f'{{"a":{text}}}', f'{{"a":"{text}"}}'):
        if payloads.form(candidate) is None:
            assert isinstance(json.loads(candidate), dict)
