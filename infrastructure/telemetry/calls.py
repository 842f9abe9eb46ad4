"""One log line for each call: what was called, how it ended, who called; nothing of its content.

The threads that answer calls only put what is known into a queue. A thread of its own makes lines
of it. What comes faster than lines can be written is lost and counted.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from threading import Event, Thread

import orjson

from infrastructure import printable
from infrastructure.telemetry.lines import Lines
from infrastructure.telemetry.observer import EndedCall, InertObserver

MOST_WAITING = 10_000  # calls
TOGETHER = 200  # lines that are written at once
GATHERED_FOR = 0.05  # seconds from the first call to its line: others come with it

_OK = "OK"
_Ended = tuple[float, str, str, float, str, str, str]
"""A call: when it ended, method, code, seconds, actor, request id, traceparent."""


class CallLog(InertObserver):
    """Writes a line for each call that ends, or for each that ends in another way than OK."""

    def __init__(self, lines: Lines, form: Callable[[_Ended], str], *, all_calls: bool) -> None:
        """`form` makes the line of a call. Starts the thread; `close` ends it."""
        self._lines = lines
        self._form = form
        self._all = all_calls
        self._waiting: deque[_Ended] = deque()
        self._news = Event()
        self._told = False
        self._closed = False
        self._thread = Thread(target=self._run, name="calls", daemon=True)
        self._thread.start()

    def call_ended(self, method: str, code: str, seconds: float, call: EndedCall) -> None:
        """See Observer."""
        if code == _OK and not self._all:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._lines.lost += 1
            return
        ended = (time.time(), method, code, seconds, call.actor, call.request_id, call.traceparent)
        self._waiting.append(ended)
        if not self._told:
            self._told = True
            self._news.set()

    def close(self) -> None:
        """Writes what waits, and ends the thread."""
        self._closed = True
        self._news.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            self._news.wait()
            self._news.clear()
            if not self._closed:
                time.sleep(GATHERED_FOR)
            self._told = False  # Before the queue is emptied: what comes later wakes this again.
            self._write_all()
        self._write_all()

    def _write_all(self) -> None:
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
            self._lines.put("\n".join(map(self._form, some)), count=len(some))


def as_json(ended: _Ended) -> str:
    """A call as a line for machines. Put together by hand: it is made for every call.

    What a client chose freely is the actor alone: ids have no character beyond plain ASCII.
    """
    at, method, code, seconds, actor, request_id, traceparent = ended
    second = int(at)
    return (
        f'{{"event":"call","method":"{method}","code":"{code}","seconds":{seconds:.6f},'
        f'"caller":{_quoted(actor)},'
        f'"request_id":{orjson.dumps(request_id).decode()},'
        f'"trace_id":"{traceparent[3:35]}","level":"info",'
        f'"timestamp":"{_second(second)}.{int(1_000_000 * (at - second)):06d}Z"}}'
    )


def as_sentence(ended: _Ended) -> str:
    """A call as a line for people."""
    at, method, code, seconds, *known, traceparent = ended
    when = datetime.fromtimestamp(at)  # noqa: DTZ006 - the clock on the reader's wall
    said = " ".join(filter(None, [*known, traceparent[3:35]]))
    name = method.rpartition("/")[2]
    return printable.line(f"{when:%H:%M:%S}  {name} {code} {1000 * seconds:.1f} ms {said}")


@lru_cache(maxsize=1024)  # Few callers make most calls.
def _quoted(actor: str) -> str:
    return printable.as_json(actor)


@lru_cache(maxsize=1)  # Many calls end within one second.
def _second(since_epoch: int) -> str:
    return f"{datetime.fromtimestamp(since_epoch, UTC):%Y-%m-%dT%H:%M:%S}"
