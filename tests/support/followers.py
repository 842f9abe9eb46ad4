"""A follower that remembers what it was given, and a feed to follow."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from application.followers import Follower, FollowerPlace, goes_on
from application.ports import FeedBatch, FeedEnd
from infrastructure.followers.places import greet
from infrastructure.followers.runner import Runner
from infrastructure.postgres.connection import with_network_guards
from infrastructure.postgres.session import Session
from tests.support.database import execute

WITHIN = 10.0  # seconds
_TABLE = "CREATE TABLE IF NOT EXISTS handled (position bigint PRIMARY KEY, by text)"


def prepare(dsn: str) -> None:
    """Makes the table into which `Copying` writes."""
    execute(dsn, _TABLE)


@dataclass
class Copying:
    """Writes the position of each event into a table: in the follower's transaction."""

    by: str = "one"
    fault: Exception | None = None
    name: str = "copying"
    reads_content: bool = False
    is_stored_with_events: bool = True

    def begin(self, place: FollowerPlace | None, end: FeedEnd) -> int:
        """See Follower."""
        return goes_on(place, end)

    def handle(self, batch: FeedBatch, connection: Any) -> None:
        """See Follower."""
        with connection.cursor() as cursor:
            rows = [(event.position, self.by) for event in batch.events]
            cursor.executemany("INSERT INTO handled VALUES (%s, %s)", rows)
        if self.fault is not None:
            raise self.fault

    def rest(self) -> None:
        """See Follower."""


@dataclass
class Remembering:
    """Remembers positions in memory, as a follower does that writes files."""

    positions: list[int] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    name: str = "remembering"
    reads_content: bool = False
    is_stored_with_events: bool = False
    _changing: Lock = field(default_factory=Lock)

    def begin(self, place: FollowerPlace | None, end: FeedEnd) -> int:
        """See Follower."""
        return goes_on(place, end)

    def handle(self, batch: FeedBatch, connection: Any) -> None:
        """See Follower; fails once for each of `faults`, after it has done its work."""
        self.positions += [event.position for event in batch.events]
        if self.faults:
            raise self.faults.pop()

    def rest(self) -> None:
        """See Follower."""


@contextmanager
def run(dsn: str, follower: Follower) -> Iterator[Runner]:
    """Runs a follower as a server process of its own would."""
    session = Session(with_network_guards(dsn), greet=greet)
    runner = Runner(follower, session)
    runner.start()
    try:
        yield runner
    finally:
        runner.stop(WITHIN)
