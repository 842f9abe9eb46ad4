"""The current-state row holds every field of a workflow, and knows when it holds others."""

from dataclasses import fields, make_dataclass

import pytest

from domain.workflow import Workflow
from infrastructure.readmodel import rows
from infrastructure.readmodel.rows import COLUMNS, STATE_COLUMNS, shape_of
from tests.support.database import select


def test_every_field_of_a_workflow_has_a_column(database: str) -> None:
    assert sorted(COLUMNS.values()) == sorted(field.name for field in fields(Workflow))
    select(database, f"SELECT {STATE_COLUMNS} FROM workflows")


def test_another_field_makes_another_shape() -> None:
    wider = make_dataclass("Wider", [("label", str)], bases=(Workflow,), kw_only=True)
    assert shape_of(wider) != rows.ROW_SHAPE == shape_of(Workflow)


def test_another_folding_of_names_makes_another_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "folded", str.swapcase)
    assert shape_of(Workflow) != rows.ROW_SHAPE
