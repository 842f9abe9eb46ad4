"""What every figure works with: databases, servers that are started once, loads, and rounds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from infrastructure.cli.main import GRPC
from infrastructure.postgres.migrate import migrate
from tests.benchmarks import before, bodies, processes
from tests.benchmarks.generators import CallsFailed, Generators
from tests.benchmarks.processes import Server

POSITION = "SELECT coalesce(max(notification_id), 0) FROM workflow_events"
"""Positions are gapless, so this counts events, and at once however many there are."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; `calls` is one measurement under load."""

    rounds: int = 3
    calls: int = 16_000
    sequential: int = 1_000
    workflows: int = 1_000
    creates: int = 200_000
    stored: tuple[int, ...] = (1_000_000, 5_000_000)
    history: int = 100_000
    profile_seconds: int = 6


FULL = Sizes()
QUICK = Sizes(
    rounds=1,
    calls=3_000,
    sequential=300,
    creates=10_000,
    stored=(20_000, 50_000),
    history=10_000,
    profile_seconds=2,
)


class Workbench:
    """The resources of one run. It stops everything that it started when its block ends."""

    def __init__(
        self,
        dsn: str,
        directory: Path,
        sizes: Sizes,
        say: Callable[[str], None],
        revision: str | None = None,
    ) -> None:
        """`dsn` is a PostgreSQL in which databases may be made; `revision` an earlier one in git.

        Raises LoadMissing.
        """
        self.revision = revision
        self.sizes = sizes
        self.say = say
        self.directory = directory
        self.loads = Generators(directory)
        self._dsn = dsn
        self._stack = ExitStack()
        self._servers: dict[str, Server] = {}
        self._databases: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        for name in self._databases:
            execute(self._dsn, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @property
    def main(self) -> str:
        """The database of the service that most figures share."""
        return self.database("bench_main")

    def database(self, name: str, *, migrated: bool = True) -> str:
        """A database of this run, made when first asked for."""
        if name not in self._databases:
            execute(self._dsn, f"CREATE DATABASE {name}")
            self._databases[name] = make_conninfo(self._dsn, dbname=name)
            if migrated:
                migrate(self._databases[name])
        return self._databases[name]

    def service(self) -> Server:
        """The service on the main database."""
        return self._shared("service", lambda: processes.service(self.main))

    def with_settings(self, name: str, chosen: Mapping[str, str]) -> Server:
        """The service on the main database with settings, by a name for them."""
        return self._shared(name, lambda: processes.service(self.main, chosen=chosen))

    def today(self) -> tuple[Server, str]:
        """The service on a fresh database of its own, and that database."""
        dsn = self.database("bench_today")
        return self._shared("today", lambda: processes.service(dsn)), dsn

    def earlier(self) -> tuple[Server, str]:
        """The service of the earlier revision on a fresh database, and that database."""
        dsn = self.database("bench_before", migrated=False)
        self.say(f"installing {self.revision}")
        program = before.installed(str(self.revision), self.directory)
        return self._shared("before", lambda: processes.service(dsn, program=program)), dsn

    def noop(self) -> Server:
        """Reference (a)."""
        return self._shared("noop", lambda: processes.reference("noop"))

    def wire(self) -> Server:
        """Reference (e)."""
        return self._shared("wire", lambda: processes.reference("direct", settings=GRPC))

    def stock(self) -> Server:
        """Reference (b), on a fresh database of its own."""
        dsn = self.database("bench_stock", migrated=False)
        return self._shared("stock", lambda: processes.reference("stock", dsn))

    def plain_read(self) -> Server:
        """Reference (d), on the main database."""
        return self._shared("plainread", lambda: processes.reference("plainread", self.main))

    def postgres(self) -> psutil.Process:
        """The database server's first process, the parent of all its others."""
        with psycopg.connect(self._dsn) as connection:
            parent = psutil.Process(connection.info.backend_pid).parent()
        if parent is None:
            raise LookupError("the database server is not on this machine")
        return parent

    def workflows(self, user_id: str, count: int) -> list[str]:
        """New workflows of a user in the main database: their ids."""
        with adds(self.main, count):
            self.loads.different(self.service(), "CreateWorkflow", [bodies.create(user_id)], count)
        found = rows(
            self.main,
            "SELECT id::text FROM workflows WHERE user_id = %s"
            " ORDER BY created_position DESC LIMIT %s",
            (user_id, count),
        )
        return [row[0] for row in found]

    def alternate(
        self, contestants: Mapping[str, Callable[[], float]], rounds: int | None = None
    ) -> dict[str, list[float]]:
        """One value a round for each contestant; the contestants take turns."""
        measured: dict[str, list[float]] = {name: [] for name in contestants}
        rounds = rounds or self.sizes.rounds
        for number in range(1, rounds + 1):
            for name, measure in contestants.items():
                self.say(f"round {number} of {rounds}: {name}")
                measured[name].append(measure())
        return measured

    def _shared(self, name: str, start: Callable[[], AbstractContextManager[Server]]) -> Server:
        if name not in self._servers:
            self._servers[name] = self._stack.enter_context(start())
        return self._servers[name]


@contextmanager
def adds(dsn: str, expected: int, counting: str = POSITION) -> Iterator[None]:
    """Makes sure that a block adds exactly so many. Raises CallsFailed."""
    before = int(value(dsn, counting))
    yield
    added = int(value(dsn, counting)) - before
    if added != expected:
        raise CallsFailed(f"{added} of {expected} effects are in the database")


def execute(dsn: str, *statements: str) -> None:
    """Executes statements in autocommit mode, on one connection."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def rows(dsn: str, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(query, parameters).fetchall()


def value(dsn: str, query: str, parameters: Sequence[object] = ()) -> Any:
    """The one value that a query finds."""
    return rows(dsn, query, parameters)[0][0]
