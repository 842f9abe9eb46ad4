"""What surrounds the database: clocks, room on disks, and how many connections are left."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import Connection

from infrastructure.doctor.diagnosis import Diagnosis, State
from infrastructure.postgres.explanations import close_connections
from infrastructure.postgres.place import Place

SKEW_SEEN, SKEW_REFUSED = 2.0, 30.0  # seconds; tokens are refused beyond the second
ROOM_SEEN, ROOM_NEEDED = 1 << 30, 1 << 27  # bytes; PostgreSQL's log grows by 16 MiB at once

_NOW = "SELECT clock_timestamp()"
# Of sessions of other roles, a role without further rights sees no kind and no name.
_OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
      AND coalesce(application_name, '') <> 'workflows' AND pid <> pg_backend_pid()
"""
_SIZE = "SELECT pg_size_pretty(pg_database_size(current_database()))"


def clock(connection: Connection[Any], now: Callable[[], datetime]) -> Diagnosis:
    """The clock of this machine against the database's."""
    before = now()
    [(theirs,)] = connection.execute(_NOW).fetchall()
    after = now()
    ahead = (before + (after - before) / 2 - theirs).total_seconds()
    off = abs(ahead) - (after - before).total_seconds() / 2
    seen = f"this machine is {abs(ahead):.3f} s {'ahead of' if ahead > 0 else 'behind'} PostgreSQL"
    state = State.ILL if off > SKEW_REFUSED else State.DOUBTFUL if off > SKEW_SEEN else State.WELL
    if state is State.WELL:
        return Diagnosis("clock", state, seen)
    remedy = ("Let both follow the same time; see which does not", "timedatectl")
    return Diagnosis("clock", state, seen, *remedy)


def connections(connection: Connection[Any], place: Place, needed: int, allowed: int) -> Diagnosis:
    """Whether PostgreSQL allows as many connections as the workers of one start open."""
    [(others,)] = connection.execute(_OTHERS).fetchall()
    seen = f"{needed} are needed, {allowed} allowed, and others hold {others}"
    if needed > allowed:
        return Diagnosis("connections", State.ILL, seen, *close_connections(place))
    if needed + others > allowed:
        return Diagnosis("connections", State.DOUBTFUL, seen, *close_connections(place))
    return Diagnosis("connections", State.WELL, seen)


def disks(
    connection: Connection[Any], folders: Sequence[Path], *, embedded: bool
) -> Iterator[Diagnosis]:
    """The room that is left for these folders of ours; of another server, its size is all."""
    for folder in folders:
        yield _disk(folder)
    if not embedded:
        [(size,)] = connection.execute(_SIZE).fetchall()
        seen = f"the database holds {size}; its disk can be seen on its own machine only"
        yield Diagnosis("disk", State.WELL, seen)


def _disk(folder: Path) -> Diagnosis:
    free, total = free_at(folder)
    seen = f"{free / 1e9:.1f} of {total / 1e9:.1f} GB are free at {folder}"
    if free >= ROOM_SEEN:
        return Diagnosis("disk", State.WELL, seen)
    state = State.ILL if free < ROOM_NEEDED else State.DOUBTFUL
    return Diagnosis("disk", state, seen, "Make room there; see what is large", f"du -xsh {folder}")


def free_at(folder: Path) -> tuple[int, int]:
    """The bytes that are free where a folder lies, and all there are."""
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total
