"""What is loaded for the growth figures is what the service would have stored."""

import psycopg
import pytest

from domain.filters import folded
from domain.workflow import evolve
from infrastructure.eventstore import stored_form
from infrastructure.readmodel.rows import ROW_SHAPE, STATE_COLUMNS, workflow_of
from tests.benchmarks import growth, growth_rows

BIG, LAST = 120, 250
_LOADED = f"""
    SELECT e.notification_id, e.originator_version, e.topic, e.state, e.content, w.name_folded,
           w.version, w.position, w.created_position, w.digest, w.shape, {STATE_COLUMNS}
    FROM workflow_events AS e JOIN workflows AS w ON w.id = e.originator_id
    ORDER BY w.id
"""


def test_loaded_events_and_rows_are_the_services_own(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over several chunks, in two loads, ids in the order of positions."""
    monkeypatch.setattr(growth, "CHUNK", 70)
    growth._load(database, 1, 150, BIG, lambda _: None)
    growth._load(database, 151, LAST, BIG, lambda _: None)

    with psycopg.connect(database) as connection:
        loaded = connection.execute(_LOADED).fetchall()

    assert [row[0] for row in loaded] == list(range(1, LAST + 1))
    for number, *row in loaded:
        recorded = growth_rows.creation(number, growth_rows.owner(number, BIG))
        content, salt = stored_form.content_of(recorded), growth_rows.salt_of(number)
        state = stored_form.state_of(content, salt, b"", stored_form.moment_of(growth_rows.MOMENT))
        digest = stored_form.digest(state)
        assert row[:4] == [1, recorded.event.stored_name, state, content]
        assert row[4:10] == [folded(f"Report {number}"), 1, number, number, digest, ROW_SHAPE]
        assert workflow_of(tuple(row[10:])) == evolve(None, recorded.event)
