"""How much a call of each method asks of the service: what rates count, and what is shed first."""

from collections.abc import Mapping
from dataclasses import dataclass

from infrastructure.rpc.method import LaneName, ServiceTable


@dataclass(frozen=True, slots=True)
class Load:
    """What one call costs of its caller's rate, and whether it changes something."""

    cost: int
    changes: bool = False


LEAST = Load(1)
STREAM = HEAVY = Load(10)
"""The load of a stream, once for the whole of it; and of methods whose lane has no other."""

OF_LANES: Mapping[LaneName, Load] = {
    LaneName.LOOKUPS: LEAST,
    LaneName.WRITES: Load(2, changes=True),
    LaneName.LISTS: Load(5),
    LaneName.ADMIN: Load(10, changes=True),
}
"""By the lane in which the calls of a method wait: about what they cost beside a lookup."""


def loads(table: ServiceTable) -> Mapping[str, Load]:
    """The load of each method of one answer, by its short name."""
    return {row.name: OF_LANES.get(row.lane, HEAVY) for row in table.methods}
