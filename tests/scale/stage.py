"""What every figure stands on: a database of many events, a service on it, and its results."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.migrate import migrate
from tests.benchmarks import growth
from tests.support.database import execute, value
from tests.support.service import Service

_LEDGER = """
    INSERT INTO command_ledger
        (key, workflow_id, request_digest, version, position, threshold_reached, append_id)
    SELECT sha256(int8send(notification_id)), originator_id, state, 1, notification_id, false,
           append_id
    FROM workflow_events
"""
_SETTLED = ("VACUUM ANALYZE command_ledger", "VACUUM ANALYZE event_search", "CHECKPOINT")


@dataclass(frozen=True)
class Sizes:
    """How large the stage is; `owned` workflows are those of one user."""

    events: int
    owned: int
    history: int
    erased: int
    clients: int
    calls: int


WHOLE = Sizes(1_000_000, 100_000, 100_000, erased=100, clients=16, calls=20)
SHORT = Sizes(1_500, 300, 300, erased=20, clients=3, calls=2)


@dataclass(frozen=True)
class Figure:
    """One result; a `target` that is missed does not end the run."""

    what: str
    value: float
    unit: str
    target: str = ""


@dataclass(frozen=True)
class Stage:
    """A service that runs on the database, and the folder of all that it keeps."""

    root: Path
    dsn: str
    service: Service
    sizes: Sizes
    say: Callable[[str], None]

    @property
    def events(self) -> int:
        """How many events are stored."""
        return int(value(self.dsn, "SELECT max(notification_id) FROM workflow_events"))

    def settle(self) -> None:
        """Lets the database finish what it owes, before something is measured."""
        execute_all(self.dsn, _SETTLED)

    def milliseconds(self, call: Callable[[], object]) -> float:
        """The median time of some calls, one after the other, after two that warm up."""
        call(), call()
        return median(1000 * seconds(call) for _ in range(self.sizes.calls))


@contextmanager
def stage(root: Path, sizes: Sizes, say: Callable[[str], None]) -> Iterator[Stage]:
    """A stage in a folder that is empty; everything ends with the block."""
    server = EmbeddedPostgres(root / "database")
    try:
        migrate(server.dsn)
        growth.fill(server.dsn, sizes.events, sizes.owned, say)
        say("filling the ledger")
        execute(server.dsn, _LEDGER)
        environment = {
            "WORKFLOWS_DATA_DIR": str(root / "kept"),
            "WORKFLOWS_LOG_DIR": str(root / "log"),
            "WORKFLOWS_TERMINATE_AT_THRESHOLD": "false",
        }
        with Service("--database-url", server.dsn, **environment) as service:
            yield Stage(root, server.dsn, service, sizes, say)
    finally:
        server.stop()


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    began = perf_counter()
    work()
    return perf_counter() - began


def execute_all(dsn: str, statements: tuple[str, ...]) -> None:
    """Executes statements, each by itself."""
    for statement in statements:
        execute(dsn, statement)
