"""What differs between two states of a workflow."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from operator import attrgetter

from domain.values import value
from domain.workflow import Workflow

Value = str | int | bool | datetime
"""A value of a field of Workflow."""


@value()
class FieldChange:
    """A field of Workflow that differs. `before` or `after` is None if it has no value."""

    field: str
    before: Value | None
    after: Value | None


_NAMES = tuple(field.name for field in fields(Workflow))
_values = attrgetter(*_NAMES)
_NOTHING: tuple[None, ...] = (None,) * len(_NAMES)


def changes(before: Workflow | None, after: Workflow | None) -> tuple[FieldChange, ...]:
    """Every field that differs, in the order of Workflow's fields.

    None is the state before the creation: no field has a value in it.
    """
    return tuple(_differing(before, after))


def _differing(before: Workflow | None, after: Workflow | None) -> Iterator[FieldChange]:
    old = _NOTHING if before is None else _values(before)
    new = _NOTHING if after is None else _values(after)
    for name, was, becomes in zip(_NAMES, old, new, strict=True):
        if was != becomes:
            yield FieldChange(name, was, becomes)
