"""The catalogue of this package, catalogues of others, and files that are none."""

import json
from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from workflows_testing import strategies

from infrastructure.catalogue.loading import CatalogueRefused, load, parse
from tests.support.given import CATALOGUE

URL = '{"url":%s}'
TIMEOUT = '{"url":"http://h","timeout":%s}'
IMAGE = '{"image":%s}'
BIG = "x" * 70_000


@for_all(st.data())
def test_what_is_drawn_for_a_kind_fits_it(data: st.DataObject) -> None:
    kind = data.draw(strategies.kinds())
    assert CATALOGUE.payload(data.draw(strategies.payloads(kind)), kind) is None


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("http", '{"url":"http://h"}'),
        ("http", '{"url":"HTTPS://h:1/x"}'),
        *[("http", TIMEOUT % t) for t in ("1", "0.5", "1e3", "9007199254740993", "9" * 400)],
        ("http", f'{{"url":"http://h","x":"{BIG}","timeout":1}}'),
        *[("docker", f'{{"image":"{image}"}}') for image in ("alpine", "r:5000/a@sha256:0", " a ")],
        ("docker", f'{{"image":"a","x":"{BIG}"}}'),
        *[("script", payload) for payload in ("{}", '{"url":1}', '{"image":"","timeout":-1}')],
    ],
)
def test_what_the_default_catalogue_accepts(kind: str, payload: str) -> None:
    assert CATALOGUE.payload(payload, kind) is None


@pytest.mark.parametrize(
    ("kind", "payload", "complaint"),
    [
        ("http", "{}", "has no url; an absolute http(s) URL by RFC 3986 is accepted"),
        ("http", '{"URL":"http://h"}', "has no url"),
        *[
            ("http", URL % url, "an absolute http(s) URL by RFC 3986 is accepted")
            for url in (
                '""',
                "1",
                "null",
                '["http://h"]',
                '"h"',
                '"//h"',
                '"ftp://h"',
                '"http:///x"',
            )
        ],
        ("http", '{"url":"http://a|b/"}', "holds '|' at character 9"),
        *[
            ("http", TIMEOUT % timeout, "a positive number of seconds is accepted")
            for timeout in ("0", "-0", "-1", "1e999", "1e-999", "true", "null", '"5"', "[5]", "{}")
        ],
        ("http", f'{{"url":{{"x":"{BIG}"}}}}', "an absolute http(s) URL by RFC 3986 is accepted"),
        ("http", f'{{"url":"http://h","x":"{BIG}","timeout":0}}', "has the timeout 0"),
        ("docker", "{}", "has no image; a non-empty image is accepted"),
        *[
            ("docker", IMAGE % image, "a non-empty image is accepted")
            for image in ('""', '" "', '"\\t\\n"', '"\\u00a0"', "null", "1", '["alpine"]')
        ],
    ],
)
def test_what_it_refuses_and_what_it_says(kind: str, payload: str, complaint: str) -> None:
    assert complaint in str(CATALOGUE.payload(payload, kind))


def test_a_payload_of_a_bad_form_is_refused_for_that_alone() -> None:
    assert CATALOGUE.payload('{"url":1,"url":2}', "http") == CATALOGUE.form('{"url":1,"url":2}')
    assert CATALOGUE.payload("[]", "unknown") == CATALOGUE.form("[]")


SCHEMA = """
build_statuses = ["QUEUED"]
[kinds.ANY.payload]
additionalProperties = false
properties.name = { type = ["string", "null"], maxLength = 5 }
properties.mode = { enum = ["fast", "slow"] }
properties.count = { type = "integer", minimum = 1, maximum = 9 }
properties.steps = { minItems = 1, uniqueItems = true, items = { required = ["run"] } }
properties.when = { type = "string", format = "date-time" }
properties.code = { type = "string", pattern = "^[A-Z]+$" }
"""


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        ({"other": 1}, 'has the unknown name "other"; name, mode, count, steps, when, code is'),
        ({"name": 5}, "has the name 5; null or a text is accepted"),
        ({"name": "abcdef"}, "has a name that does not fit; a length of at most 5 is accepted"),
        ({"mode": "x"}, 'has a mode that does not fit; one of "fast", "slow" is accepted'),
        ({"count": 0}, "has the count 0; 1 or more is accepted"),
        ({"count": 10}, "has the count 10; 9 or less is accepted"),
        ({"count": 1.5}, "has the count 1.5; a whole number is accepted"),
        ({"steps": []}, "has the steps []; a length of 1 or more is accepted"),
        ({"steps": [{"run": 1}, {}]}, "has no steps[1].run; one is accepted"),
        ({"steps": [{"run": 1}, {"run": 1}]}, "an array in which no item is twice is accepted"),
        (
            {"when": "now"},
            "has a when that does not fit; a text of the format date-time",
        ),
        ({"code": "x" * 50}, "; a text that matches ^[A-Z]+$ is accepted"),
    ],
)
@pytest.mark.parametrize("size", [0, 100_000])
def test_a_violation_is_explained_in_a_sentence(payload: object, complaint: str, size: int) -> None:
    catalogue = parse(SCHEMA, "test.toml")
    assert complaint in str(catalogue.payload(json.dumps(payload) + " " * size, "ANY"))


GOOD = 'build_statuses = ["a"]\n'


@pytest.mark.parametrize(
    ("text", "line", "right"),
    [
        ("x = [", 1, "build_statuses and kinds in TOML are accepted"),
        ("\nx = 1\n\nx = 2", 4, "build_statuses and kinds in TOML are accepted"),
        ("[kinds.a]\npayload = {}", None, "an array of build statuses"),
        (GOOD, None, "a table of each kind"),
        (GOOD + "kinds = {}", 2, "a table of each kind"),
        (GOOD + "[kinds.a]", 2, "a table that is a JSON Schema is accepted"),
        (GOOD + "[kinds.a]\npayload = true", 3, "a table that is a JSON Schema is accepted"),
        (GOOD + "[kinds.a]\npayload = {}\nlog = 1", 2, "payload, log_retention is accepted"),
        (GOOD + "[kinds.a]\npayload = {}\nlog_retention = 1", 4, "true or false is accepted"),
        (GOOD + '[kinds."a b"]\npayload = {}', None, "1 to 32 letters, digits"),
        ('build_statuses = ["a", "a"]\n[kinds.a]\npayload = {}', 1, "none of them twice"),
        ('build_statuses = [""]\n[kinds.a]\npayload = {}', 1, "1 to 32 letters, digits"),
        (GOOD + '[kinds.a.payload]\n\ntype = "strng"', 4, "string, number, integer"),
        (GOOD + '[kinds.a.payload.properties.u]\nformat = "uuri"', 3, "uri and the formats"),
        (GOOD + '[kinds.a.payload]\npattern = "(?=a)"', 3, "a regular expression without"),
        (GOOD + '[kinds.a.payload]\n"$ref" = "http://127.0.0.1:1/x"', 2, "json-schema.org"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_what_is_right(
    text: str, line: int | None, right: str
) -> None:
    with pytest.raises(CatalogueRefused) as refusal:
        parse(text, "kinds.toml")
    place = "kinds.toml: " if line is None else f"kinds.toml, line {line}: "
    assert str(refusal.value).startswith(place)
    assert right in str(refusal.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# \xe9")
    for path in (tmp_path, tmp_path / "none.toml", latin):
        with pytest.raises(CatalogueRefused, match=path.name):
            load(path)
