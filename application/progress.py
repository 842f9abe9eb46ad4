"""How far a long piece of work has come, how fast it goes, and when it will be done."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` units of a step, of which `counted` were done in the last `seconds`.

    `counted` is less than `done` if the step was continued after an interruption.
    """

    step: str
    done: int
    total: int
    counted: int
    seconds: float

    @property
    def rate(self) -> float:
        """Units a second; 0 until the first were counted."""
        return self.counted / self.seconds if self.seconds > 0 else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds until the step is done at this rate; None if the rate is not known yet."""
        return max(0, self.total - self.done) / self.rate if self.rate else None


Report = Callable[[Progress], None]
"""Is called now and then while the work goes on."""


def unreported(_: Progress) -> None:
    """Reports nothing."""
