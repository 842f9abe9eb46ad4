"""Values: objects that never change once they are made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """A dataclass whose fields are never assigned again: mypy refuses each such line.

    Made for objects of which each call makes several. A frozen dataclass would check the same again
    while the service runs, and takes three to four times as long to make.
    """
    return dataclass(slots=True, unsafe_hash=True, kw_only=kw_only)
