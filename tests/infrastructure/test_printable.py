"""What others wrote cannot move a terminal's cursor, nor turn its text around."""

import json

import pytest

from infrastructure import printable

HIDDEN = ["\x1b", "\x07", "\x7f", "\x85", "\x9b", "\u061c", "\u202e", "\u2066", "\u2028", "\ufeff"]


@pytest.mark.parametrize("character", HIDDEN)
def test_a_hidden_character_is_shown_as_its_escape(character: str) -> None:
    escape = f"\\u{ord(character):04x}"
    assert printable.line(f"a{character}b") == f"a{escape}b"
    assert printable.text(f"a{character}b\n") == f"a{escape}b\n"


def test_one_line_stays_one_line() -> None:
    assert printable.line("a\nb\r\tc") == "a\\u000ab\\u000d\\u0009c"


def test_what_people_write_stays_as_it_is() -> None:
    name = "Größe · 日本語 👩\u200d🔬"
    assert printable.line(name) == name


def test_json_hides_nothing_and_means_the_same() -> None:
    value = {name: name for name in (*HIDDEN, "\ud800", "\n", "ä")}
    shown = printable.as_json(value, indent=2)
    assert json.loads(shown) == value
    assert not any(character in shown for character in HIDDEN)
