"""What is made of the feed: whether its followers keep up, and whether checkpoints are fresh."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from application.followers import FollowerState
from application.ports import FeedEnd
from infrastructure.doctor.diagnosis import Diagnosis, State
from infrastructure.followers.places import LOCKS, follower_states
from infrastructure.postgres.place import Place
from infrastructure.proof.kept import KeptLog
from infrastructure.proof.logs import Logs
from infrastructure.proof.stored import recorded_after
from infrastructure.tlog.checkpoints import LogRefused

FOLLOWERS, CHECKPOINTS = "followers", "checkpoints"
FAR_BEHIND = 10_000  # events: as many as the alert has
SILENT_AFTER = timedelta(seconds=30)  # a follower shows every 5 s that it runs

_SERVE = ("A service runs it", "workflows serve")
_HOLDERS = f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE classid = {LOCKS} AND granted"  # noqa: S608 - a number of ours
_FAULTS = "SELECT name, fault_at, fault FROM followers"


def followers(
    connection: Connection[Any], expected: Sequence[str], now: datetime, place: Place
) -> Iterator[Diagnosis]:
    """How far each follower is. `now` is the time of the database."""
    states = follower_states(connection)
    for name in [*expected]:
        if name not in {state.name for state in states}:
            yield Diagnosis(FOLLOWERS, State.DOUBTFUL, f"{name} has never run", *_SERVE)
    for state in states:
        yield _of_follower(state, now, place)


def _of_follower(state: FollowerState, now: datetime, place: Place) -> Diagnosis:
    said = f"{state.name} is at position {state.place.position}, {state.behind} behind"
    silent = now - state.updated_at
    if state.failures:
        return Diagnosis(
            FOLLOWERS,
            State.ILL,
            f"{said}; it failed {state.failures} times in a row: {state.fault}",
            "Do what it says, if it says so; all faults",
            place.sql(_FAULTS),
        )
    if not state.running:
        return Diagnosis(FOLLOWERS, State.DOUBTFUL, f"{said}; no process runs it", *_SERVE)
    if silent > SILENT_AFTER:
        return Diagnosis(
            FOLLOWERS,
            State.ILL,
            f"{said}; it has shown no life for {silent.total_seconds():.0f} s",
            "Take it from the process that holds it; another one goes on",
            place.sql(_HOLDERS),
        )
    if state.behind > FAR_BEHIND:
        return Diagnosis(
            FOLLOWERS,
            State.DOUBTFUL,
            said,
            "See whether it catches up: ask again in a minute",
            "workflows doctor",
        )
    return Diagnosis(FOLLOWERS, State.WELL, said)


def checkpoints(
    connection: Connection[Any], logs: Logs | None, end: FeedEnd, now: datetime, every: float
) -> Diagnosis:
    """Whether a signed checkpoint covers every event that is older than some seconds."""
    if logs is None:
        return Diagnosis(CHECKPOINTS, State.WELL, "none are kept: WORKFLOWS_LOG_DIR is unset")
    epoch, epochs = end.feed.epoch, logs.epochs()
    if epochs and epoch not in epochs:
        return Diagnosis(
            CHECKPOINTS,
            State.ILL,
            f"the database is in epoch {epoch}, the last log is of epoch {epochs[-1]}",
            "Begin a log of this epoch",
            "workflows log new-origin",
        )
    try:
        log = KeptLog.of(logs, epoch)
        signed = log.newest() if log else None
    except LogRefused as refused:
        seen = f"the log in {logs.root}: {refused}"
        return Diagnosis(CHECKPOINTS, State.ILL, seen, "Bring the log back", "workflows log show")
    size = signed.checkpoint.size if signed else 0
    said = f"{size} of {end.position} events are covered"
    if size > end.position:
        return Diagnosis(
            CHECKPOINTS,
            State.ILL,
            f"{said}: the database was restored to an earlier point",
            "Begin a new epoch, and its log",
            "workflows epoch new && workflows log new-origin",
        )
    return _fresh(said, recorded_after(connection, size), now, every)


def _fresh(said: str, waiting_since: datetime | None, now: datetime, every: float) -> Diagnosis:
    waits = now - waiting_since if waiting_since else timedelta()
    if waits > timedelta(seconds=every) + SILENT_AFTER:
        return Diagnosis(
            CHECKPOINTS,
            State.ILL,
            f"{said}; the first of the others was recorded {waits.total_seconds():.0f} s ago",
            "The follower checkpoints does not work; a service runs it",
            "workflows serve",
        )
    return Diagnosis(CHECKPOINTS, State.WELL, said)
