"""Filters of lists find what the domain says, through PostgreSQL and over pages."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workflows import workflows_pb2 as pb

from domain.filters import Filters
from domain.workflow import Workflow
from infrastructure.readmodel.rows import STATE_COLUMNS, workflow_of
from tests.support.client import Client
from tests.support.database import select
from tests.support.given import CATALOGUE
from tests.support.service import Service

NAMES = [
    "Nightly backup",
    "nightly BACKUP",
    "night",
    "100% sure",
    "100 sure",
    "a_b",
    "a.b",
    r"back\slash",
    "STRASSE",
    "straße",
    "ΣΊΣΥΦΟΣ",
    "日本語の仕事",
    "x",
]
QUERIES = [
    "",
    "night",
    "NIGHTLY",
    "%",
    "0%",
    "_",
    "a_b",
    "a%b",
    "\\",
    "\\s",
    "ss",
    "ß",
    "σίσυφος",
    "本語",
    "本語の",
    "x",
    "'",
    "nowhere",
]


@pytest.fixture(scope="module")
def zoo(services: tuple[Service, Service, Service]) -> str:
    """A user with a workflow of every sort."""
    client = services[0].client
    for index, name in enumerate(NAMES * 4):
        kind = list(CATALOGUE.kinds)[index % len(CATALOGUE.kinds)]
        workflow_id = client.created("zoo", name=name, kind=kind, interval=1 + index % 7 * 10)
        if status := CATALOGUE.build_statuses[index % len(CATALOGUE.build_statuses)]:
            client.build(workflow_id, status)
        if index % 4 == 0:
            client.terminate(workflow_id, "zoo")
        if index % 11 == 0:
            client.delete(workflow_id, "zoo")
    return "zoo"


@pytest.fixture(scope="module")
def animals(zoo: str, shared_database: str) -> dict[str, Workflow]:
    """The zoo's workflows as the domain sees them, newest first."""
    query = f"""SELECT id::text, {STATE_COLUMNS} FROM workflows
                WHERE user_id = %s AND deleted_at IS NULL ORDER BY created_position DESC"""
    return {row[0]: workflow_of(row[1:]) for row in select(shared_database, query, zoo)}


Animals = dict[str, Workflow]


def matching(animals: Animals, **filters: Any) -> list[str]:
    """Those that the domain says match."""
    return [i for i, workflow in animals.items() if Filters(**filters).matches(workflow)]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_finds_what_the_domain_says(client: Client, animals: Animals, query: str) -> None:
    assert client.walk("zoo", query=query) == matching(animals, query=query)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
@given(
    query=st.sampled_from(["", *QUERIES]),
    kind=st.sampled_from(["", "", *CATALOGUE.kinds]),
    build_status=st.sampled_from(["", "", *CATALOGUE.build_statuses]),
    is_terminated=st.booleans(),
    ends=st.tuples(st.integers(0, 62), st.sampled_from([0, 1, 5, 30, 100])),
)
def test_filters_combine_as_the_domain_says(
    paging: Client,
    animals: Animals,
    query: str,
    kind: str,
    build_status: str,
    is_terminated: bool,
    ends: tuple[int, int],
) -> None:
    least, span = ends
    filters = {
        "query": query,
        "kind": kind,
        "build_status": build_status,
        "is_terminated": is_terminated,
        "interval_min": least,
        "interval_max": least + span if span else 0,
    }
    assert paging.walk("zoo", **filters) == matching(animals, **filters)


@pytest.mark.parametrize("ends", [{"interval_min": 31}, {"interval_max": 31}])
def test_either_end_of_a_range_may_stand_alone(
    client: Client, animals: Animals, ends: dict[str, int]
) -> None:
    found = client.walk("zoo", **ends)
    assert found == matching(animals, **ends)
    assert 0 < len(found) < len(animals)


def test_empty_filters_do_not_filter(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    request = pb.ListWorkflowsRequest(user_id=user, filters=pb.ListWorkflowsFilters())
    [listed] = client.stub.ListWorkflows(request).workflows
    assert listed.id == workflow_id


def test_a_filter_follows_a_change(client: Client, user: str) -> None:
    workflow_id = client.created(user)
    client.update(workflow_id, user, name="weekly")
    assert client.walk(user, query="nightly") == []
    assert client.walk(user, query="weekly") == [workflow_id]
