"""Runs one follower on a thread of its own, in exactly one of all server processes.

The process that runs it holds an advisory lock on the session that the follower works on. So the
lock ends with the session, and what another process would take over cannot be written by this one.
"""

from contextlib import suppress
from threading import Event, Thread
from time import monotonic
from typing import Any

import structlog
from psycopg import Error

from application.followers import Follower, FollowerPlace, FollowerRefused
from application.ports import FeedBatch, FeedEnd, StoreUnavailable
from infrastructure.eventstore.feed import LIMIT, ROOM, feed_end, read_feed
from infrastructure.followers.places import (
    PlaceMoved,
    begin_at,
    failed,
    move,
    place_of,
    take_turn,
)
from infrastructure.postgres.connection import BoundedConnection
from infrastructure.postgres.session import Session
from infrastructure.telemetry.observer import InertObserver, Observer

LOOK_EVERY = 0.05  # seconds between two looks for new events
GATHER = 0.2  # seconds after a batch in which new events gather: a batch costs more than an event
TURN_EVERY = 1.0  # seconds between two tries to take over from another process
SIGN_EVERY = 5.0  # seconds after which a follower without new events shows that it runs
PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds after a failure; doubled after each further one
TOLD_AGAIN_AFTER = 60.0  # seconds between two log lines about one lasting fault

_EXPECTED = (Error, StoreUnavailable, FollowerRefused, PlaceMoved)
_log = structlog.get_logger()


class Runner:
    """Runs a follower until it is stopped, and again after whatever happens."""

    def __init__(
        self, follower: Follower, session: Session, observer: Observer | None = None
    ) -> None:
        """The session is the runner's alone; `places.greet` prepares it."""
        self._follower = follower
        self._observer = observer or InertObserver()
        self._session = session
        self._held: BoundedConnection | None = None
        self._place: FollowerPlace | None = None
        self._end: FeedEnd | None = None
        self._limit = LIMIT
        self._failures = 0
        self._told: tuple[str, float] = ("", 0.0)
        self._sign_at = 0.0
        self._stopped = Event()
        self._thread = Thread(target=self._run, name=f"follower {follower.name}", daemon=True)

    def start(self) -> None:
        """Begins to run, or to wait for its turn."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread does its work."""
        return self._thread.is_alive()

    def ask_to_stop(self) -> None:
        """Lets it end after the batch that is being handled, and does not wait."""
        self._stopped.set()

    def stop(self, within: float) -> None:
        """Lets it end, and waits at most so many seconds."""
        self.ask_to_stop()
        self._thread.join(within)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                pause = self._turn()
            except Exception as fault:  # noqa: BLE001 - a follower is tried again, whatever it was
                pause = self._failed(fault)
            if pause:
                self._stopped.wait(pause)
        self._session.close()

    def _turn(self) -> float:
        """Does one step, and returns the seconds until the next one."""
        connection = self._session.connection()
        if connection is not self._held:
            if not take_turn(connection, self._follower.name):
                return TURN_EVERY
            self._held, self._place = connection, None
        if self._place is None:
            self._place = self._begin(connection)
        self._end = feed_end(connection)
        if self._end.feed != self._place.feed:
            self._place = None  # Another epoch began: the follower decides what that means.
            return 0
        if self._end.position == self._place.position:
            self._rest(connection, self._place)
            return LOOK_EVERY
        batch = self._step(connection, self._place)
        self._place = FollowerPlace(self._place.feed, batch.position)
        self._observer.followed(self._follower.name, batch.position, batch.behind)
        self._well()
        return 0 if batch.behind else GATHER

    def _begin(self, connection: BoundedConnection) -> FollowerPlace:
        self._end = feed_end(connection)
        with connection.transaction():
            stored = place_of(connection, self._follower.name)
            position = self._follower.begin(stored, self._end)
            place = FollowerPlace(self._end.feed, position)
            begin_at(connection, self._follower.name, place)
        return place

    def _step(self, connection: BoundedConnection, place: FollowerPlace) -> FeedBatch:
        """Reads a batch, has it handled, and stores the new position."""
        follower = self._follower
        if not follower.is_stored_with_events:
            batch = self._read(connection, place)
            follower.handle(batch, None)
            move(connection, follower.name, place, batch.position)
            return batch
        with connection.transaction():
            # Taken first: an erasure waits for this lock, and then finds all that was written here.
            if place_of(connection, follower.name) != place:
                raise PlaceMoved(f"follower {follower.name} was moved from {place.position}")
            batch = self._read(connection, place)
            follower.handle(batch, connection)
            move(connection, follower.name, place, batch.position)
        return batch

    def _read(self, connection: BoundedConnection, place: FollowerPlace) -> FeedBatch:
        wanted = self._follower.reads_content
        return read_feed(connection, place.position, self._limit, ROOM, content=wanted)

    def _rest(self, connection: BoundedConnection, place: FollowerPlace) -> None:
        self._follower.rest()
        now = monotonic()
        if self._failures or now >= self._sign_at:
            self._sign_at = now + SIGN_EVERY
            move(connection, self._follower.name, place, place.position)
            self._observer.followed(self._follower.name, place.position, 0)
            self._well()

    def _well(self) -> None:
        self._limit = min(LIMIT, self._limit * 2)
        if self._failures:
            self._failures, self._told = 0, ("", 0.0)
            _log.info("follower goes on", follower=self._follower.name)

    def _failed(self, fault: Exception) -> float:
        """Reports a fault, and returns the seconds until the next try."""
        self._failures += 1
        self._observer.follower_failed(self._follower.name)
        self._place = None
        self._limit = max(1, self._limit // 2)  # What was too much at once may go in parts.
        if isinstance(fault, Error):
            self._session.trouble(fault)
        self._tell(fault)
        if isinstance(fault, FollowerRefused):
            return LONGEST_PAUSE
        return float(min(LONGEST_PAUSE, PAUSE * 2.0 ** min(self._failures - 1, 10)))

    def _tell(self, fault: Exception) -> None:
        what = f"{type(fault).__name__}: {_said(fault)}"
        told, at = self._told
        if what != told or monotonic() > at + TOLD_AGAIN_AFTER:
            self._told = (what, monotonic())
            unexpected = not isinstance(fault, _EXPECTED)
            why: dict[str, Any] = {"exc_info": fault} if unexpected else {}
            _log.warning("follower failed", follower=self._follower.name, why=what, **why)
        # If the database can be reached, operators read there what failed.
        with suppress(Error, StoreUnavailable):
            connection = self._session.connection()
            if connection is self._held:
                failed(connection, self._follower.name, self._end, what)


def _said(fault: Exception) -> str:
    return fault.why if isinstance(fault, StoreUnavailable) else str(fault)
