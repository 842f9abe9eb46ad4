"""The bounds of each field, from both sides."""

from collections.abc import Callable

import pytest
from hypothesis import given as for_all
from workflows_testing import strategies

from domain import fields
from domain.errors import InvalidFields, Violation
from tests.support.given import ID

Accepts = Callable[[str], str | None]
AcceptsNumber = Callable[[int], str | None]

INT32 = [2**31 - 1, -(2**31)]
CONTROL_CHARACTERS = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))]

TEXTS = pytest.mark.parametrize("check", [fields.required_text, fields.optional_text])


@TEXTS
@pytest.mark.parametrize("text", ["x", " ", "x" * 255, "é" * 255, "🚀" * 255, "%_\\'\"", "\u200b"])
def test_up_to_255_printable_characters_are_accepted(check: Accepts, text: str) -> None:
    assert check(text) is None


@TEXTS
@pytest.mark.parametrize("text", ["x" * 256, "🚀" * 256, "x" * 1_000_000])
def test_256_characters_or_more_are_refused(check: Accepts, text: str) -> None:
    assert check(text)


@TEXTS
@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=ascii)
def test_a_control_character_is_refused_wherever_it_stands(check: Accepts, character: str) -> None:
    assert all(
        check(text) for text in (character, f"{character}b", f"a{character}b", f"a{character}")
    )


def test_an_empty_text_is_refused_if_one_is_required() -> None:
    assert fields.required_text("")


def test_an_empty_text_is_accepted_if_none_is_required() -> None:
    assert fields.optional_text("") is None


@pytest.mark.parametrize("workflow_id", [ID, "0" * 8 + "-0000-0000-0000-" + "0" * 12])
def test_a_uuid_as_we_write_it_is_an_id(workflow_id: str) -> None:
    assert fields.workflow_id(workflow_id) is None


@pytest.mark.parametrize(
    "workflow_id",
    [
        "",
        "1",
        ID.upper(),
        ID.replace("-", ""),
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        f" {ID}",
        f"{ID} ",
        f"{ID}\n",
        f"{ID}0",
        ID[:-1],
        ID[:-1] + "g",
        ID[:-1] + "\uff10",
    ],
)
def test_no_other_spelling_is_an_id(workflow_id: str) -> None:
    assert fields.workflow_id(workflow_id)


@pytest.mark.parametrize(
    ("check", "least", "most"),
    [
        pytest.param(fields.interval, 1, 525_600, id="interval"),
        pytest.param(fields.max_failures, 1, 100, id="maximum"),
        pytest.param(fields.interval_bound, 0, 525_600, id="interval bound"),
        pytest.param(fields.generation, 0, 2**63 - 1, id="generation"),
    ],
)
def test_a_number_is_accepted_from_its_least_to_its_most(
    check: AcceptsNumber, least: int, most: int
) -> None:
    assert [bool(check(n)) for n in (least - 1, least, most, most + 1)] == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("check", [fields.interval, fields.max_failures, fields.interval_bound])
@pytest.mark.parametrize("extreme", INT32)
def test_the_extremes_of_the_wire_are_refused(check: AcceptsNumber, extreme: int) -> None:
    assert check(extreme)


def test_every_complaint_becomes_a_violation_in_order() -> None:
    with pytest.raises(InvalidFields) as refusal:
        fields.refuse_invalid(("a", "is bad"), ("b", None), ("c", "is worse"))
    assert refusal.value.violations == (Violation("a", "is bad"), Violation("c", "is worse"))


def test_without_a_complaint_nothing_is_refused() -> None:
    fields.refuse_invalid(("a", None), ("b", None))


@for_all(strategies.ids())
def test_ids_drawn_for_tests_are_ids(workflow_id: str) -> None:
    assert fields.workflow_id(workflow_id) is None


@pytest.mark.parametrize(
    "name", ["x", " x ", "\u200bx", "\u200bX", "a\u0301", "🚀", "日本", "-", "\u0301"]
)
def test_a_name_has_a_character_that_can_be_seen(name: str) -> None:
    assert fields.name(name) is None


INVISIBLE = [" ", "\u00a0", "\u3000", "\u2028", "\u00ad", "\u200b", "\u200d", "\u2060", "\ufeff"]
INVISIBLE += ["\u202e", "\u3164", "\uffa0", "\ufe0f", "\u034f", "\u2800", "\U000e0020"]


@pytest.mark.parametrize("name", [*INVISIBLE, "".join(INVISIBLE)], ids=ascii)
def test_a_name_that_nobody_can_see_is_refused(name: str) -> None:
    assert fields.name(name)


@pytest.mark.parametrize("name", [chr(code) for code in range(0x21, 0x7F)])
def test_a_name_of_one_character_that_shows_is_accepted(name: str) -> None:
    assert fields.name(name) is None


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb"])
def test_a_name_keeps_to_the_bounds_of_every_text(name: str) -> None:
    assert fields.name(name)
