"""How fast an untouched record is verified: whole, and a day's increment. `make verification`.

Makes a record in a folder of its own, verifies it, adds the increment, verifies that, prints what
each took, and removes the folder.
"""

import os
import shutil
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import psycopg

from infrastructure.eventstore.feed import feed_end
from infrastructure.postgres.connection import connect
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.migrate import migrate
from infrastructure.proof.verifying import Verification
from tests.benchmarks.record import EVENTS_A_WORKFLOW, TURNS, load
from tests.support.proofs import KeptLog

STEP = TURNS * EVENTS_A_WORKFLOW
EVENTS = 250 * STEP
INCREMENT = 13 * STEP


@dataclass(frozen=True)
class Took:
    """How long the verification of so many events took; both verdicts hold."""

    events: int
    seconds: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def measure(dsn: str, folder: Path, events: int, increment: int) -> tuple[Took, Took]:
    """What a whole verification takes, and one of what came after it."""
    kept = KeptLog(dsn, folder)
    _grow(dsn, kept, events)
    whole = _verified(kept, whole=True)
    _grow(dsn, kept, events + increment)
    return whole, _verified(kept, whole=False)


def _grow(dsn: str, kept: KeptLog, events: int) -> None:
    """Brings record and log to so many events, if they have fewer."""
    with closing(connect(dsn)) as connection:
        end = feed_end(connection).position
    if end < events:
        load(dsn, end, events)
    kept.follow()
    kept.cosign()


def _verified(kept: KeptLog, *, whole: bool) -> Took:
    with psycopg.connect(kept.dsn, autocommit=True) as connection:
        verification = Verification(connection, kept.logs, lambda: datetime.now(UTC))
        began = monotonic()
        report = verification.feed(whole=whole)
        seconds = monotonic() - began
    assert report.holds, (report.integrity, report.completeness)
    return Took(report.events, seconds)


def main(say: Callable[[str], None]) -> None:
    """Measures as the command line asks."""
    parser = ArgumentParser(prog="python -m tests.benchmarks.verifying")
    parser.add_argument("--events", type=int, default=EVENTS, help=f"a multiple of {STEP}")
    parser.add_argument("--increment", type=int, default=INCREMENT, help="likewise")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="workflows-verification-"))
    server = EmbeddedPostgres(folder / "data")
    try:
        migrate(server.dsn)
        say(f"making {asked.events:,} events and their log")
        took = measure(server.dsn, folder / "logs", asked.events, asked.increment)
    finally:
        server.stop()
        shutil.rmtree(folder)
    load_average = os.getloadavg()[0]
    for name, each in zip(("whole", "since last"), took, strict=True):
        say(
            f"{name}: {each.events:,} events in {each.seconds:.1f} s, {each.rate:,.0f}/s"
            f" (load {load_average:.1f} on {os.cpu_count()} processors)"
        )


if __name__ == "__main__":
    main(print)
