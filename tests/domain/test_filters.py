"""What a listed workflow must meet."""

from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given as for_all
from workflows_testing import strategies

from domain.events import Created
from domain.filters import Filters, folded
from tests.support.given import CATALOGUE, built, created, terminated, workflow

ACTIVE = workflow(created(name="Nightly Report", interval=60), built("success"))
ENDED = workflow(created(name="Nightly Report", interval=60), built("success"), terminated())


@pytest.mark.parametrize(
    ("filters", "met"),
    [
        ({}, True),
        ({"query": "night"}, True),
        ({"query": "NIGHTLY R"}, True),
        ({"query": "Nightly Report"}, True),
        ({"query": "hourly"}, False),
        ({"query": "Nightly Reports"}, False),
        ({"query": "%"}, False),
        ({"query": "N_ghtly"}, False),
        ({"query": ".*"}, False),
        ({"query": " "}, True),
        ({"kind": "http"}, True),
        ({"kind": "docker"}, False),
        ({"build_status": "success"}, True),
        ({"build_status": "pending"}, False),
        ({"interval_min": 60}, True),
        ({"interval_min": 61}, False),
        ({"interval_max": 60}, True),
        ({"interval_max": 59}, False),
        ({"interval_min": 60, "interval_max": 60}, True),
        ({"interval_min": 1, "interval_max": 59}, False),
        ({"interval_min": 61, "interval_max": 525_600}, False),
        ({"query": "report", "kind": "http", "build_status": "success", "interval_min": 1}, True),
        ({"query": "report", "kind": "http", "build_status": "failed", "interval_min": 1}, False),
        ({"query": "report", "kind": "script"}, False),
    ],
    ids=str,
)
def test_all_that_is_set_must_hold(filters: dict[str, Any], met: bool) -> None:
    assert Filters(**filters).matches(ACTIVE) is met


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("straße", "STRASSE 7"),
        ("STRASSE", "straße 7"),
        ("ÉCOLE", "l'école"),
        ("ж", "Ёж"),
        ("caf\u00e9", "Cafe\u0301 bar"),
        ("CAFE\u0301", "caf\u00e9 bar"),
        ("\u1ecb", "I\u0323"),
        ("\u00c5ngstr\u00f6m", "\u212bngstro\u0308m"),
        ("istanbul", "\u0130stanbul"),
        ("istanbul", "I\u0307stanbul"),
        ("\u0130STANBUL", "istanbul"),
        ("file", "\ufb01le"),
        ("abc", "\uff21\uff22\uff23"),
        ("cooperate", "co\u00adop\u200berate"),
    ],
)
def test_spellings_that_mean_the_same_are_alike(query: str, name: str) -> None:
    assert Filters(query=query).matches(workflow(created(name=name)))


@pytest.mark.parametrize(("query", "name"), [("e", "\u00e9"), ("i", "\u0131"), ("o", "\u00f8")])
def test_letters_that_differ_are_not_alike(query: str, name: str) -> None:
    assert not Filters(query=query).matches(workflow(created(name=name)))


@pytest.mark.parametrize("character", ["%", "_", "\\", "'", "*", "?"])
def test_wildcards_stand_for_themselves(character: str) -> None:
    assert Filters(query=character).matches(workflow(created(name=f"a{character}b")))


def test_only_terminated_ones_are_met_if_asked_for() -> None:
    only_ended = Filters(is_terminated=True)
    assert [only_ended.matches(ACTIVE), only_ended.matches(ENDED)] == [False, True]


def test_unset_termination_does_not_filter() -> None:
    assert [Filters().matches(ACTIVE), Filters().matches(ENDED)] == [True, True]


@pytest.mark.parametrize(
    ("filters", "refused"),
    [
        ({"query": "x" * 256}, ["filters.query"]),
        ({"query": "a\x00"}, ["filters.query"]),
        ({"kind": "grpc"}, ["filters.kind"]),
        ({"build_status": "done"}, ["filters.build_status"]),
        ({"interval_min": -1}, ["filters.interval_min"]),
        ({"interval_min": 525_601}, ["filters.interval_min"]),
        ({"interval_min": 2**31 - 1}, ["filters.interval_min"]),
        ({"interval_max": -(2**31)}, ["filters.interval_max"]),
        ({"interval_max": 525_601}, ["filters.interval_max"]),
        ({"interval_min": 6, "interval_max": 5}, ["filters.interval_max"]),
        ({"interval_min": 2, "interval_max": 1}, ["filters.interval_max"]),
        ({"interval_min": 525_600, "interval_max": 5}, ["filters.interval_max"]),
        ({"interval_min": 525_601, "interval_max": 5}, ["filters.interval_min"]),
        (
            {"query": "\n", "kind": "?", "build_status": "?", "interval_min": -1},
            ["filters.query", "filters.kind", "filters.build_status", "filters.interval_min"],
        ),
    ],
    ids=str,
)
def test_values_that_no_workflow_could_have_are_named(
    filters: dict[str, Any], refused: list[str]
) -> None:
    assert [violation.field for violation in Filters(**filters).violations(CATALOGUE)] == refused


@pytest.mark.parametrize(
    "filters", [{"interval_min": 6}, {"interval_max": 5}, {"interval_min": 6, "interval_max": 6}]
)
def test_a_range_of_intervals_may_be_open_or_hold_one_interval(filters: dict[str, Any]) -> None:
    assert Filters(**filters).violations(CATALOGUE) == []


def test_an_interval_that_is_not_set_is_0() -> None:
    assert (Filters().interval_min, Filters().interval_max) == (0, 0)


@pytest.mark.parametrize("query", ["x" * 255, "", "%"])
def test_a_query_may_be_as_long_as_a_name(query: str) -> None:
    assert Filters(query=query).violations(CATALOGUE) == []


@for_all(strategies.created_events())
def test_every_workflow_meets_filters_made_of_itself(event: Created) -> None:
    filters = Filters(
        query=event.name,
        kind=event.kind,
        build_status=event.build_status,
        interval_min=event.interval,
        interval_max=event.interval,
    )
    assert filters.matches(workflow(event))


@for_all(strategies.names())
def test_folding_twice_or_a_canonically_equal_spelling_changes_nothing(name: str) -> None:
    spellings = [folded(name), *(normalize(form, name) for form in ("NFC", "NFD"))]
    assert {folded(spelling) for spelling in spellings} == {folded(name)}
