"""Cursors: a client that has one may go on with that list, and can do nothing else with it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume
from hypothesis import given as for_all
from hypothesis import strategies as st
from workflows_testing import strategies

from application.cursors import Cursors, form
from application.ports import Feed
from domain.errors import InvalidFields
from domain.filters import Filters
from tests.support.given import OTHER_USER, OWNER, fields_refused

SECRET = bytes(range(32))
FEED = Feed(1_795_345_200)
CURSORS = Cursors(SECRET, lambda: FEED)
FILTERS = Filters(query="night", kind="http", interval_min=5)
CURSOR = CURSORS.write(OWNER, FILTERS, 42)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def refused(
    cursor: str, user_id: str = OWNER, filters: Filters = FILTERS, cursors: Cursors = CURSORS
) -> bool:
    return fields_refused(lambda: cursors.read(cursor, user_id, filters)) == ["cursor"]


@for_all(strategies.owners(), st.integers(0, 2**63 - 1), strategies.names())
def test_a_cursor_leads_back_to_its_position(user_id: str, position: int, query: str) -> None:
    filters = Filters(query=query)
    assert CURSORS.read(CURSORS.write(user_id, filters, position), user_id, filters) == position


def test_every_process_with_the_same_secret_reads_it() -> None:
    assert Cursors(SECRET, lambda: FEED).read(CURSOR, OWNER, replace(FILTERS)) == 42


def test_a_cursor_can_stand_in_any_text() -> None:
    assert set(CURSOR) <= set(ALPHABET)


def test_another_users_cursor_is_refused() -> None:
    assert refused(CURSOR, user_id=OTHER_USER)


@pytest.mark.parametrize(
    "differing",
    [
        {"query": "nigh"},
        {"query": ""},
        {"kind": "script"},
        {"kind": ""},
        {"build_status": "success"},
        {"is_terminated": True},
        {"interval_min": 0},
        {"interval_min": 6},
        {"interval_max": 60},
    ],
    ids=str,
)
def test_a_cursor_of_other_filters_is_refused(differing: dict[str, Any]) -> None:
    assert refused(CURSOR, filters=replace(FILTERS, **differing))


def test_a_cursor_of_another_secret_is_refused() -> None:
    assert refused(CURSOR, cursors=Cursors(bytes(32), lambda: FEED))


@pytest.mark.parametrize("feed", [Feed(FEED.epoch + 1), Feed(FEED.epoch, 1)], ids=str)
def test_a_cursor_of_another_feed_is_refused_in_words(feed: Feed) -> None:
    moved = Cursors(SECRET, lambda: feed)
    with pytest.raises(InvalidFields, match=r"^cursor .* begin the list again"):
        moved.read(CURSOR, OWNER, FILTERS)


def test_the_form_of_a_cursor_can_be_judged_without_its_list() -> None:
    assert form("") is None
    assert form(CURSOR) is None
    assert [form(CURSOR[:-1]), form(CURSOR + "="), form("x" * len(CURSOR) + "y")].count(None) == 0


def test_neighbouring_fields_are_kept_apart() -> None:
    cursor = CURSORS.write("alice", Filters(query="http"), 42)
    assert refused(cursor, user_id="alicehttp", filters=Filters())
    assert refused(cursor, user_id="alice", filters=Filters(kind="http"))


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="empty"),
        pytest.param("A", id="one character"),
        pytest.param("42", id="number"),
        pytest.param("AAAAAAAAACo", id="position alone"),
        pytest.param(CURSOR + "=", id="padded"),
        pytest.param(CURSOR + "A", id="longer"),
        pytest.param(CURSOR + "\n", id="line break after it"),
        pytest.param(" " + CURSOR, id="blank before it"),
        pytest.param(CURSOR[:9] + "." + CURSOR[9:], id="foreign character within"),
        pytest.param(CURSOR.lower(), id="lower case"),
        pytest.param(CURSOR * 2, id="twice"),
        pytest.param("é" * 32, id="no ASCII"),
        pytest.param("\x00" * 32, id="NUL"),
        pytest.param("A" * 1_000_000, id="long"),
    ],
)
def test_what_was_never_given_out_is_refused(cursor: str) -> None:
    assert refused(cursor)


@pytest.mark.parametrize("length", range(len(CURSOR)))
def test_a_truncated_cursor_is_refused(length: int) -> None:
    assert refused(CURSOR[:length])


@for_all(st.integers(0, len(CURSOR) - 1), st.sampled_from(ALPHABET))
def test_a_cursor_with_one_character_changed_is_refused(place: int, character: str) -> None:
    assume(CURSOR[place] != character)
    assert refused(CURSOR[:place] + character + CURSOR[place + 1 :])


@for_all(st.integers(0, len(CURSOR) * 8 - 1))
def test_a_cursor_with_one_bit_flipped_is_refused(bit: int) -> None:
    altered = bytearray(CURSOR.encode())
    altered[bit // 8] ^= 1 << bit % 8
    assert refused(altered.decode("latin-1"))


@for_all(st.text(ALPHABET, max_size=40))
def test_a_guessed_cursor_is_refused(cursor: str) -> None:
    assert refused(cursor)
