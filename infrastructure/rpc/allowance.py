"""What one caller may take: so many calls and streams at once, and so much in a time.

Without authentication, each connection is a caller of its own.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from time import monotonic, time

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from infrastructure.lanes.refusals import ShareExceeded

_LEAST_WAIT = 0.05  # seconds


class RateExceeded(Exception):
    """A caller has used up its rate; nothing was decided."""

    def __init__(self, again_in: float) -> None:
        """A call as this one will be admitted in so many seconds."""
        self.again_in = again_in
        super().__init__("the caller's rate is used up")


class AtOnce:
    """Counts what each caller has under way. Safe on any threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counting = Lock()
        self._under_way: dict[str, int] = {}

    def enter(self, caller: str) -> None:
        """Counts one more. Raises ShareExceeded if the caller has as many as it may."""
        with self._counting:
            count = self._under_way.get(caller, 0)
            if count >= self._most:
                raise ShareExceeded
            self._under_way[caller] = count + 1

    def leave(self, caller: str) -> None:
        """Counts one less."""
        with self._counting:
            count = self._under_way[caller] - 1
            if count:
                self._under_way[caller] = count
            else:
                del self._under_way[caller]


class Rate:
    """At most so much cost in any so many seconds, for each caller. Safe on any threads."""

    def __init__(self, cost: int, seconds: int) -> None:
        self._item = RateLimitItemPerSecond(cost, seconds)
        self._seconds = seconds
        self._storage = MemoryStorage()
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._spending = Lock()
        self._last: OrderedDict[str, float] = OrderedDict()  # When each caller spent, oldest first.

    def spend(self, caller: str, cost: int) -> None:
        """Counts a cost. Raises RateExceeded; a cost above the whole rate is counted as that."""
        cost = min(cost, self._item.amount)
        with self._spending:
            if self._limiter.hit(self._item, caller, cost=cost):
                self._remember(caller)
                return
            reset, _ = self._limiter.get_window_stats(self._item, caller)
        raise RateExceeded(max(_LEAST_WAIT, reset - time()))

    def _remember(self, caller: str) -> None:
        """Forgets callers whose window has passed: the library keeps every caller for ever."""
        now = monotonic()
        self._last[caller] = now
        self._last.move_to_end(caller)
        while self._last[oldest := next(iter(self._last))] + self._seconds < now:
            del self._last[oldest]
            key = self._item.key_for(oldest)
            with self._storage.locks[key]:
                self._storage.clear(key)


@dataclass(frozen=True, slots=True)
class Place:
    """What one call or stream takes of its caller's allowance, until it leaves."""

    caller: str
    among: AtOnce | None

    def leave(self) -> None:
        """Gives it back; called once. A cost stays spent."""
        if self.among is not None:
            self.among.leave(self.caller)


class Allowance:
    """The bounds of each caller; one that is None does not exist. Safe on any threads."""

    def __init__(self, among: AtOnce | None = None, rate: Rate | None = None) -> None:
        """`rate` may be shared with other allowances."""
        self._among = among
        self._rate = rate

    def enter(self, caller: str, cost: int) -> Place:
        """A place for a call or a stream. Raises ShareExceeded or RateExceeded."""
        if self._among is not None:
            self._among.enter(caller)
        place = Place(caller, self._among)
        try:
            if self._rate is not None:
                self._rate.spend(caller, cost)
        except RateExceeded:
            place.leave()
            raise
        return place
