"""What a benchmark found: a number beside its reference's, from the same rounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

H2LOAD = "h2load"
NATIVE = "load"  # our own generator, in load/
PGBENCH = "pgbench"
IN_PROCESS = "in process"


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and what it lies between."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Target:
    """What a ratio must reach, or stay below."""

    bound: float
    at_least: bool = True

    def reached_by(self, ratio: float) -> bool:
        """Whether a ratio is on the right side."""
        return ratio >= self.bound if self.at_least else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: `values` holds one number a round, `beside` its reference's in the same round."""

    what: str
    unit: str
    load: str
    values: Sequence[float]
    reference: str = ""
    beside: Sequence[float] = ()
    target: Target | None = None

    def __post_init__(self) -> None:
        if not self.values or (self.beside and len(self.beside) != len(self.values)):
            raise ValueError(f"{self.what}: {len(self.values)} values beside {len(self.beside)}")

    @property
    def spread(self) -> Spread:
        """The figure itself."""
        return spread(self.values)

    @property
    def beside_spread(self) -> Spread | None:
        """The reference's own figure; None without one."""
        return spread(self.beside) if self.beside else None

    @property
    def ratio(self) -> Spread | None:
        """The ratios of the rounds, pair by pair; None without a reference."""
        if not self.beside:
            return None
        return spread([own / other for own, other in zip(self.values, self.beside, strict=True)])

    @property
    def verdict(self) -> str:
        """Whether the target is reached, in words; empty without one."""
        if self.target is None or self.ratio is None:
            return ""
        return "holds" if self.target.reached_by(self.ratio.median) else "falls short"


def spread(values: Sequence[float]) -> Spread:
    """The median of some numbers and their extremes."""
    return Spread(median(values), min(values), max(values))
