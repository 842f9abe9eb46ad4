"""No list reads more than a bounded number of rows, however many workflows there are.

The statement is the service's own, on a user with very many workflows among other users.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from application.queries import MAX_PAGE_BYTES
from domain.filters import Filters
from infrastructure.eventstore.statements import LOAD_LEDGER
from infrastructure.eventstore.store import LOAD_STREAMS
from infrastructure.postgres.connection import configure
from infrastructure.readmodel.lists import ListStatements
from infrastructure.readmodel.views import GET, GET_TOGETHER
from tests.support.database import execute

MANY = 200_000
LIMIT = 51
MOST_READ = 10_000  # rows: a twentieth of what the user has
MOST_SORTED = 10_000

# Rare values are the oldest of the list: a walk from the newest finds them last.
_FILL = f"""
    INSERT INTO workflows
    SELECT gen_random_uuid(), CASE WHEN n <= {MANY} THEN 'big' ELSE 'user ' || n % 1000 END,
           name, lower(name), '{{}}', kind, minutes, 3, false, status, 0, 1, now(), now(),
           CASE WHEN n % 20 = 0 AND n < 1000 THEN now() END,
           CASE WHEN n % 50 = 7 THEN now() END, 1, n, n, '\\x00', 1
    FROM generate_series(1, {MANY + 40_000}) AS n,
    LATERAL (SELECT
        CASE WHEN n < 40 THEN 'Backup of ledger ' ELSE 'Nightly workflow ' END || n AS name,
        CASE WHEN n < 60 THEN 'docker' WHEN n % 2 = 0 THEN 'http' ELSE 'script' END AS kind,
        CASE WHEN n < 50 THEN 'canceled' WHEN n % 4 = 0 THEN 'failed' ELSE 'success' END AS status,
        CASE WHEN n < 30 THEN 500000 ELSE 1 + n % 1440 END AS minutes
    ) AS drawn
"""
_INDEX_OF_NAMES = "SELECT indexdef FROM pg_indexes WHERE indexname = 'workflows_by_name'"

SELECTIVE: dict[str, Any] = {
    "query": "ledger",
    "kind": "docker",
    "build_status": "canceled",
    "is_terminated": True,
    "interval_min": 400_000,
}
UNSELECTIVE: dict[str, Any] = {
    "query": "workflow",
    "kind": "http",
    "build_status": "success",
    "interval_min": 10,
    "interval_max": 1400,
}
CASES: Sequence[Mapping[str, Any]] = [
    {},
    *[{name: value} for name, value in SELECTIVE.items()],
    *[{name: value} for name, value in UNSELECTIVE.items()],
    {"query": "nig"},
    {"query": "nowhere to be found"},
    {"query": "workflow 19999"},
    {"interval_max": 1},
    {"interval_min": 700, "interval_max": 701},
    {"kind": "http", "build_status": "failed"},
    {"kind": "http", "query": "workflow"},
    {"kind": "docker", "build_status": "canceled", "query": "ledger"},
    {"kind": "docker", "query": "workflow"},
    {"kind": "http", "query": "ledger"},
    {"kind": "http", "is_terminated": True},
    {"kind": "http", "interval_min": 400_000},
    {"build_status": "success", "is_terminated": True},
    {"build_status": "failed", "interval_min": 10, "interval_max": 1400},
    {"is_terminated": True, "query": "workflow"},
    {"query": "workflow", "interval_max": 1},
]


@pytest.fixture(scope="module")
def connection(postgres: str, migrated: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database with very many workflows."""
    execute(postgres, f"CREATE DATABASE indexes TEMPLATE {migrated}")
    with psycopg.connect(make_conninfo(postgres, dbname="indexes"), autocommit=True) as connection:
        # Building the index of names at once is several times faster than filling it row by row.
        [(index_of_names,)] = connection.execute(_INDEX_OF_NAMES).fetchall()
        connection.execute("DROP INDEX workflows_by_name")
        connection.execute(_FILL.encode())
        connection.execute(index_of_names)
        connection.execute("VACUUM ANALYZE workflows")
        yield connection
    execute(postgres, "DROP DATABASE indexes WITH (FORCE)")


@pytest.fixture
def serving(connection: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the same, set as the service sets its own."""
    with psycopg.connect(connection.info.dsn, autocommit=True) as serving:
        configure(serving)
        yield serving


@pytest.mark.parametrize("before", [None, MANY // 2, 500], ids=["first", "middle", "late"])
@pytest.mark.parametrize("filters", CASES, ids=str)
def test_a_page_is_read_through_an_index(
    connection: psycopg.Connection[Any], filters: Mapping[str, Any], before: int | None
) -> None:
    nodes = plan(connection, Filters(**filters), before)
    assert not [node for node in nodes if "Seq Scan" in node["Node Type"]]
    assert rows_sorted(nodes) <= MOST_SORTED
    assert rows_read(nodes) <= MOST_READ


def test_common_values_that_never_meet_are_not_looked_for_in_every_row(
    connection: psycopg.Connection[Any],
) -> None:
    nodes = plan(connection, Filters(kind="script", build_status="failed"), None)
    assert rows_read(nodes) <= MOST_READ


@pytest.mark.parametrize("query", ["w", "q", "é", "%"])
def test_one_character_is_looked_for_through_an_index(
    serving: psycopg.Connection[Any], query: str
) -> None:
    nodes = plan(serving, Filters(query=query), None)
    assert not [node for node in nodes if "Seq Scan" in node["Node Type"]]


def test_a_plain_page_reads_what_it_shows(connection: psycopg.Connection[Any]) -> None:
    nodes = plan(connection, Filters(), MANY // 2)
    assert rows_read(nodes) == LIMIT
    assert rows_sorted(nodes) == 0


@pytest.mark.parametrize("name", ["kind", "build_status", "is_terminated"])
def test_a_rare_value_is_found_without_reading_others(
    connection: psycopg.Connection[Any], name: str
) -> None:
    nodes = plan(connection, Filters(**{name: SELECTIVE[name]}), None)
    assert rows_read(nodes) <= 2 * LIMIT


@pytest.mark.parametrize(
    "statement", [GET, GET_TOGETHER, LOAD_STREAMS], ids=["get", "get together", "load"]
)
def test_workflows_are_read_by_their_key(serving: psycopg.Connection[Any], statement: str) -> None:
    ids = serving.execute("SELECT id FROM workflows LIMIT 20").fetchall()
    wanted = "{" + ",".join(str(i) for (i,) in ids) + "}"
    nodes = explained(serving, statement, (wanted,))
    used = {node["Index Name"] for node in nodes if "Index Name" in node}
    assert used - {"workflow_events_pkey"} == {"workflows_pkey"}
    assert rows_read(nodes) <= 3 * len(ids)


def test_ledger_entries_are_read_by_their_key(serving: psycopg.Connection[Any]) -> None:
    nodes = explained(serving, LOAD_LEDGER, ("{00ff}",))
    assert "command_ledger_pkey" in {node.get("Index Name") for node in nodes}
    assert not [node for node in nodes if "Seq Scan" in node["Node Type"]]


def plan(
    connection: psycopg.Connection[Any], filters: Filters, before: int | None
) -> Sequence[dict[str, Any]]:
    """The nodes of the plans of one page, with what each really did.

    A search is the walk, and the index of names if the walk does not end the page.
    """
    statements = ListStatements("big", filters, before, LIMIT - 1, MAX_PAGE_BYTES)
    if not filters.query:
        return explained(connection, *statements.page)
    nodes = explained(connection, *statements.walk)
    if nodes[0]["Actual Rows"] < LIMIT and statements.has_trigrams:
        nodes = [*nodes, *explained(connection, *statements.by_name)]
    return nodes


def explained(
    connection: psycopg.Connection[Any], statement: str, parameters: Any
) -> Sequence[dict[str, Any]]:
    """The nodes of the plan of a statement, with what each really did."""
    explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode()
    [([explanation],)] = connection.execute(explain, parameters, prepare=False).fetchall()
    return list(_nodes(explanation["Plan"]))


def rows_read(nodes: Sequence[Mapping[str, Any]]) -> float:
    """How many rows or index entries were looked at, those that were thrown away included."""
    looked_at = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return sum(
        float(node["Actual Loops"] * sum(node.get(name, 0) for name in looked_at))
        for node in nodes
        if node["Node Type"].endswith("Scan") and node["Node Type"] != "Subquery Scan"
    )


def rows_sorted(nodes: Sequence[Mapping[str, Any]]) -> float:
    """How many rows went into sorts."""
    return sum(
        float(child["Actual Rows"] * child["Actual Loops"])
        for node in nodes
        if "Sort" in node["Node Type"]
        for child in node["Plans"]
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
