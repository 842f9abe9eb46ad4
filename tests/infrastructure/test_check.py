"""`workflows check` finds each kind of damage, names it, and ends with 1."""

import json
from collections.abc import Iterator

import pytest

from application.handler import CommandHandler
from tests.application.conftest import handle
from tests.support.command_line import answer, workflows
from tests.support.database import execute
from tests.support.given import ID, OTHER_ID, create, increment, update
from tests.support.stores import DIGESTS, OpenStore, open_store

DAMAGE = {
    "row differs": f"UPDATE workflows SET failures = 9 WHERE id = '{ID}'",
    "row missing": f"DELETE FROM workflows WHERE id = '{ID}'",
    "content lost": f"""
        UPDATE workflow_events SET content = NULL, salt = NULL WHERE originator_id = '{OTHER_ID}'
    """,
    "row surplus": f"""
        INSERT INTO erasures (id, reason, legal_basis, actor) VALUES ('{ID}', 'r', 'b', 'a');
        INSERT INTO erased_workflows (workflow_id, receipt_id) VALUES ('{OTHER_ID}', '{ID}');
        UPDATE workflow_events SET content = NULL, salt = NULL WHERE originator_id = '{OTHER_ID}';
        CREATE TABLE stray AS SELECT * FROM workflows WHERE id = '{ID}';
        UPDATE stray SET id = '{OTHER_ID}';
        INSERT INTO workflows SELECT * FROM stray
    """,
    "events unreadable": f"""
        UPDATE workflow_events SET content = content || ' '
        WHERE originator_id = '{ID}' AND originator_version = 2
    """,
    "ledger entry astray": "UPDATE command_ledger SET version = version + 5",
}


@pytest.fixture
def store(database: str) -> Iterator[OpenStore]:
    """Two workflows, one of which changed under keys."""
    with open_store(database) as opened:
        handler = CommandHandler(opened.store, DIGESTS)
        handle(handler, create(idempotency_key="k"), create(id=OTHER_ID), increment(job_id="j"))
        handle(handler, update(name="hourly", idempotency_key="u"), update(idempotency_key="u2"))
        yield opened


def test_a_sound_store_is_sound(store: OpenStore) -> None:
    checked = answer("check", "--database-url", store.dsn, "--json")
    assert {"damaged": False, "workflows": 2, "events": 5, "ledger_entries": 4}.items() <= (
        checked.items()
    )


@pytest.mark.parametrize("sampled", [(), ("--sample", "50")], ids=["all", "a sample"])
@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_and_named(store: OpenStore, kind: str, sampled: tuple[str, ...]) -> None:
    execute(store.dsn, DAMAGE[kind])
    result = workflows("check", "--database-url", store.dsn, "--json", *sampled)
    assert result.exit_code == 1, result.output
    checked = json.loads(result.stdout)
    assert checked["damaged"]
    assert list(checked["found"]) == [kind]


def test_a_forgotten_workflow_is_sound_without_a_row(store: OpenStore) -> None:
    store.forget(ID, 2)
    assert not answer("check", "--database-url", store.dsn, "--json")["damaged"]


def test_a_row_of_another_release_is_no_damage(store: OpenStore) -> None:
    execute(store.dsn, "UPDATE workflows SET shape = 1")
    checked = answer("check", "--database-url", store.dsn, "--json")
    assert (checked["damaged"], checked["found"]) == (False, {"row of another shape": 2})
