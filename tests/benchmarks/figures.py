"""Every figure by its name, in the order in which they are measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks import (
    figures_before,
    figures_cost,
    figures_damage,
    figures_edge,
    figures_followers,
    figures_growth,
    figures_latency,
    figures_read,
    figures_write,
)
from tests.benchmarks.results import Row
from tests.benchmarks.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Figure:
    """How to measure it, and about how many seconds that takes in full on two cores."""

    measure: Callable[[Workbench], Sequence[Row]]
    seconds: int


FIGURES: Mapping[str, Figure] = {
    "create": Figure(figures_write.create, 55),
    "increment": Figure(figures_write.increment_many, 35),
    "hot": Figure(figures_write.increment_hot, 35),
    "reset": Figure(figures_write.reset, 25),
    "get": Figure(figures_read.get, 45),
    "list": Figure(figures_read.first_page, 15),
    "damage": Figure(figures_damage.damage, 40),
    "lone": Figure(figures_latency.lone, 20),
    "latency": Figure(figures_latency.latency, 60),
    "edge": Figure(figures_edge.edge, 60),
    "cpu": Figure(figures_cost.cpu, 60),
    "followers": Figure(figures_followers.followers, 60),
    "memory": Figure(figures_cost.memory, 60),
    "history": Figure(figures_growth.long_history, 50),
    "million": Figure(figures_growth.million, 90),
    "stored": Figure(figures_growth.stored, 300),
    "fold": Figure(figures_cost.fold, 30),
    "before": Figure(figures_before.before, 240),
}
