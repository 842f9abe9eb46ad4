"""Serves all watches of a process from one reader of the feed, on one thread.

The thread looks at the end of the feed many times a second while anything watches. What it reads
goes into a ring, from which every watch is filled; one that is behind the ring is filled from the
database, a little at a time. A client that does not read fills its own watch and nothing else.
"""

from collections.abc import Callable, Sequence
from threading import Event, Thread
from time import monotonic
from typing import Protocol

import structlog

from application.ports import EventFeed, Feed, FeedBatch, StoredDataDamaged, StoreUnavailable
from application.watches import (
    FROM_THE_END,
    FeedReplaced,
    WatchCursors,
    WatchRequest,
    WatchTooSlow,
    beyond_the_end,
)
from infrastructure.watching.members import Members
from infrastructure.watching.ring import Moment, Ring
from infrastructure.watching.selection import Selection
from infrastructure.watching.watch import Watch

LOOK_EVERY = 0.02  # seconds between two looks for new events
REST = 0.05  # seconds, at most, between two turns while watches are behind
AGAIN_AFTER = 0.5  # seconds after a look that failed
SIGN_EVERY = 5.0  # seconds after which a watch without events shows how far it has come
RING, RING_ROOM = 8192, 16 * 1024 * 1024  # events, bytes
SLICE, SLICE_ROOM = 512, 2 * 1024 * 1024  # what one watch is given at a time
LAG = 20_000
"""How many events a watch that has seen the end may fall behind."""
WATCHES, SHARE = 256, 32
"""How many watches a process has at most, and how many of one caller."""

_log = structlog.get_logger()


class Erasures(Protocol):
    """Tells of erasures, of whatever process. For one thread."""

    def any_since_last(self) -> bool:
        """Whether one is under way, or ended since the last call. Raises StoreUnavailable."""
        ...


class Hub:
    """All watches of a process."""

    def __init__(
        self,
        feed: EventFeed,
        erasures: Erasures,
        selection: Selection,
        cursors: WatchCursors,
        patience: float,
    ) -> None:
        """A watch whose client takes nothing for `patience` seconds is ended."""
        self._feed = feed
        self._erasures = erasures
        self._selection = selection
        self._cursors = cursors
        self._patience = patience
        self._members = Members(WATCHES, SHARE)
        self._ring = Ring(RING, RING_ROOM)
        self._current: Feed | None = None
        self._damage: StoredDataDamaged | None = None
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="watches", daemon=True)

    def start(self) -> None:
        """Starts the thread, which rests until something watches."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread does its work."""
        return self._thread.is_alive()

    def stop(self, within: float) -> None:
        """Ends the thread; waits at most so many seconds. The gate has ended the watches before."""
        self._stopped.set()
        self._members.wake()
        self._thread.join(within)

    def join(self, watch: Watch, asked: WatchRequest, caller: str) -> None:
        """Begins to serve a watch. Raises TooManyWatches."""
        self._members.join(watch, asked, caller)

    def leave(self, watch: Watch) -> None:
        """Forgets a watch whose client has gone."""
        watch.leave()
        self._members.leave(watch)

    def cursor(self, watch: Watch, position: int) -> str:
        """What resumes a watch after a position; empty until its place was found."""
        if watch.feed is None:
            return ""
        return self._cursors.write(watch.filter.question, watch.feed, position)

    def _run(self) -> None:
        while True:
            if self._members.wait():
                self._current = None  # Nobody has read since: the ring would have a gap.
            if self._stopped.is_set():
                return
            began = monotonic()
            try:
                # Half of the time is left to those who write: a watch that is behind may take long.
                pause = min(monotonic() - began, REST) if self._turn() else LOOK_EVERY
            except StoreUnavailable:
                pause = AGAIN_AFTER  # Watches go on when the database is back.
            except Exception as fault:  # noqa: BLE001 - watches go on, whatever it was
                _log.error("watches failed", exc_info=fault)
                pause = AGAIN_AFTER
            if pause:
                self._stopped.wait(pause)

    def _turn(self) -> bool:
        """Reads what is new and fills the watches; returns whether there is more to do at once."""
        if self._erasures.any_since_last():
            self._forget()
        more = self._read_tail()
        for watch, asked in self._members.newcomers():
            self._welcome(watch, asked)
        for watch in self._members.settled():
            more |= self._serve(watch)
        return more

    def _read_tail(self) -> bool:
        """Reads what follows the ring into it; returns whether there is more."""
        if self._current is None:
            end = self._feed.end()
            self._current = end.feed
            self._ring.begin(end.position)
        try:
            batch = self._read(self._ring.end, RING // 2, RING_ROOM // 2)
        except StoredDataDamaged as damage:
            self._damage = damage  # Watches that have come here end with it, and skip nothing.
            return False
        self._damage = None
        if batch.end.feed != self._current:
            for watch in self._members.settled():
                self._end(watch, lambda _: FeedReplaced())
            self._current = None
            return True
        self._ring.add(batch.events)
        return batch.behind > 0

    def _forget(self) -> None:
        """Forgets all content in memory: it is read anew, and what was erased is not there."""
        self._ring.begin(self._ring.end)
        self._selection.forget()
        for watch in self._members.settled():
            watch.rewind()

    def _welcome(self, watch: Watch, asked: WatchRequest) -> None:
        """Finds the place of a new watch, and shows it to the client."""
        try:
            watch.position = self._place(asked)
        except Exception as refusal:  # noqa: BLE001 - it is the answer to this client
            error = refusal
            self._end(watch, lambda _: error)
        else:
            watch.feed = self._current
            watch.put(watch.position)
            watch.send()

    def _place(self, asked: WatchRequest) -> int:
        end = self._ring.end
        if asked.cursor and self._current is not None:
            after = self._cursors.read(asked.cursor, asked.filter.question, self._current)
        else:
            after = end if asked.after == FROM_THE_END else asked.after
        if after > end:
            raise beyond_the_end(end)
        return after

    def _serve(self, watch: Watch) -> bool:
        """Fills a watch; returns whether it can take more at once."""
        try:
            return self._fill(watch)
        except StoreUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001 - other watches go on
            watch.finish(fault)
            self._members.leave(watch)
            return False

    def _fill(self, watch: Watch) -> bool:
        now = monotonic()
        lag = self._ring.end - watch.position
        if watch.stands_for(now) > self._patience or (watch.is_live and lag > LAG):
            self._end(watch, lambda after: WatchTooSlow(self.cursor(watch, after)))
        if watch.ended or watch.is_full:
            return False
        moments = self._following(watch)
        if moments:
            self._put(watch, moments)
        else:
            watch.is_live = True
            if self._damage is not None:
                raise self._damage
        if now - watch.quiet_since > SIGN_EVERY:
            watch.put(watch.position)  # A sign of life: how far it has come without an event.
        watch.send()
        return watch.position < self._ring.end and not watch.is_full

    def _following(self, watch: Watch) -> Sequence[Moment]:
        if watch.position >= self._ring.start:
            return self._ring.after(watch.position, SLICE)
        batch = self._read(watch.position, SLICE, SLICE_ROOM)
        return [Moment(event) for event in batch.events]

    def _read(self, after: int, limit: int, room: int) -> FeedBatch:
        """The events after a position; if one is missing, those before it one by one."""
        try:
            return self._feed.read(after, limit=limit, room=room)
        except StoredDataDamaged:
            return self._feed.read(after, limit=1, room=room)

    def _put(self, watch: Watch, moments: Sequence[Moment]) -> None:
        """Puts moments in. Raises StoredDataDamaged after all that stand before the damage."""
        try:
            self._selection.put(watch, moments)
        except StoredDataDamaged:
            for moment in moments:
                self._selection.put(watch, [moment])
                if watch.position < moment.stored.position:
                    return  # It is full.

    def _end(self, watch: Watch, why: Callable[[int], Exception]) -> None:
        watch.refuse(why)
        self._members.leave(watch)
