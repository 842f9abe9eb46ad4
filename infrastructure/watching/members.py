"""The watches of a process: how many there are, whose they are, and which are new."""

from collections import Counter
from collections.abc import Sequence
from threading import Event, Lock

from application.watches import TooManyWatches, WatchRequest
from infrastructure.watching.watch import Watch

Newcomer = tuple[Watch, WatchRequest]


class Members:
    """A bounded set of watches. Safe on any thread."""

    def __init__(self, limit: int, share: int) -> None:
        """At most `limit` in all, and at most `share` of one caller."""
        self._limit = limit
        self._share = share
        self._callers: dict[Watch, str] = {}
        self._shares: Counter[str] = Counter()
        self._new: list[Newcomer] = []
        self._changing = Lock()
        self._some = Event()

    def join(self, watch: Watch, asked: WatchRequest, caller: str) -> None:
        """Adds a watch. Raises TooManyWatches."""
        with self._changing:
            if len(self._callers) >= self._limit or self._shares[caller] >= self._share:
                raise TooManyWatches
            self._callers[watch] = caller
            self._shares[caller] += 1
            self._new.append((watch, asked))
            self._some.set()

    def leave(self, watch: Watch) -> None:
        """Removes a watch; does nothing if it was removed before."""
        with self._changing:
            caller = self._callers.pop(watch, None)
            if caller is None:
                return
            self._shares[caller] -= 1
            if not self._shares[caller]:
                del self._shares[caller]
            if not self._callers:
                self._some.clear()

    def newcomers(self) -> Sequence[Newcomer]:
        """Those that joined since the last call."""
        with self._changing:
            new, self._new = self._new, []
        return new

    def settled(self) -> Sequence[Watch]:
        """All but those that joined since the last call of `newcomers`."""
        with self._changing:
            new = {watch for watch, _ in self._new}
            return [watch for watch in self._callers if watch not in new]

    def wait(self) -> bool:
        """Waits until there are any; returns whether there were none before."""
        waited = not self._some.is_set()
        self._some.wait()
        return waited

    def wake(self) -> None:
        """Ends the wait, although there is none."""
        self._some.set()
