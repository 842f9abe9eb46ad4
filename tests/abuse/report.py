"""What `make abuse` prints: a line for each attack."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.abuse.neighbour import Served

MIB = 1024 * 1024
_HEAD = (
    f"{'attack':34} {'gets':>6} {'p50':>7} {'p99':>7} {'create':>7} {'health':>7} {'peak':>6}"
    f" {'kept':>5} {'threads':>7} {'stop':>6}"
)


@dataclass
class Line:
    """What two rounds of one attack did: seconds, and bytes above rest."""

    attack: str
    served: Served
    peak: int
    kept: int
    threads: int
    stop: float = float("nan")

    @property
    def get_p99(self) -> float:
        """Of a neighbour's Gets."""
        return _quantile(self.served.gets, 0.99)

    @property
    def create_p99(self) -> float:
        """Of a neighbour's Creates."""
        return _quantile(self.served.creates, 0.99)

    @property
    def health(self) -> float:
        """The longest Check of health."""
        return max(self.served.health)

    def __str__(self) -> str:
        gets = self.served.gets
        milliseconds = (_quantile(gets, 0.5), self.get_p99, self.create_p99, self.health)
        times = " ".join(f"{1000 * each:7.1f}" for each in milliseconds)
        return (
            f"{self.attack:34} {len(gets):6} {times} {self.peak / MIB:6.0f}"
            f" {self.kept / MIB:5.0f} {self.threads:7} {self.stop:6.2f}"
        )


def table(title: str, lines: Iterable[Line]) -> Iterator[str]:
    """The lines of a table: milliseconds, MiB above rest, and seconds of a stop."""
    yield title
    yield _HEAD
    yield from map(str, lines)


def _quantile(seconds: list[float], share: float) -> float:
    return sorted(seconds)[int(share * len(seconds))]
