"""One log line for each call: what was called, how it ended, who called; nothing of its content.

The threads that answer calls only put references into a queue; a thread of its own makes lines of
them, many at a time. What comes faster than lines can be written is lost and counted.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from threading import Event, Thread

from application.access import ANONYMOUS, Caller
from application.ports import Origin
from infrastructure import printable
from infrastructure.identity.origin import ids_of
from infrastructure.telemetry.lines import Lines
from infrastructure.telemetry.observer import EndedCall, InertObserver, Metadata

MOST_WAITING = 10_000  # calls
TOGETHER = 200  # lines that are written at once
GATHERED_FOR = 0.02  # seconds from the first call to its line: others come with it

_OK = "OK"
Ended = tuple[float, str, str, float, Caller, Origin | None, Metadata]
"""A call: when it ended, its method, code and seconds; and what is known of its client."""


class CallLog(InertObserver):
    """Writes a line for each call that ends, or for each that ends in another way than OK."""

    def __init__(self, lines: Lines, form: Callable[[Ended], str], *, all_calls: bool) -> None:
        """`form` makes the line of a call. Starts the thread; `close` ends it."""
        self._lines = lines
        self._form = form
        self._all = all_calls
        self._waiting: deque[Ended] = deque()
        self._news = Event()
        self._told = False
        self._closed = False
        self._thread = Thread(target=self._run, name="calls", daemon=True)
        self._thread.start()

    def call_ended(self, method: str, code: str, seconds: float, call: EndedCall) -> None:
        """See Observer."""
        if code == _OK and not self._all:
            return
        waiting = self._waiting
        if len(waiting) >= MOST_WAITING:
            self._lines.lost += 1
            return
        waiting.append(
            (time.time(), method, code, seconds, call.caller, call.origin, call.metadata)
        )
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


def as_json(ended: Ended) -> str:
    """A call as a line for machines. Joined by hand, not encoded: it is made for every call."""
    at, method, code, seconds, caller, origin, metadata = ended
    request_id, trace_id = _ids(origin, metadata)
    second = int(at)
    return (
        f"{_head(method, code)}{seconds:.6f}{_said(caller)}"
        f'{encode_basestring_ascii(request_id)},"trace_id":"{trace_id}","level":"info",'
        f'"timestamp":"{_second(second)}.{int(1_000_000 * (at - second)):06d}Z"}}'
    )


def as_sentence(ended: Ended) -> str:
    """A call as a line for people."""
    at, method, code, seconds, caller, origin, metadata = ended
    when = datetime.fromtimestamp(at)  # noqa: DTZ006 - the clock on the reader's wall
    said = " ".join(filter(None, [caller.actor, *_ids(origin, metadata)]))
    name = method.rpartition("/")[2]
    return printable.line(f"{when:%H:%M:%S}  {name} {code} {1000 * seconds:.1f} ms {said}")


def _ids(origin: Origin | None, metadata: Metadata) -> tuple[str, str]:
    """The request id and the trace id of a call."""
    return ids_of(metadata) if origin is None else (origin.request_id, origin.trace_id)


@lru_cache(maxsize=1024)  # There are some hundred pairs.
def _head(method: str, code: str) -> str:
    return f'{{"event":"call","method":"{method}","code":"{code}","seconds":'


def _said(caller: Caller) -> str:
    """The caller, who may be named by what a client chose freely, unlike all else in a line."""
    return _ANONYMOUS if caller is ANONYMOUS else _quoted(caller.actor)


@lru_cache(maxsize=1024)  # Few callers make most calls.
def _quoted(actor: str) -> str:
    return f',"caller":{printable.as_json(actor)},"request_id":'


@lru_cache(maxsize=1)  # Many calls end within one second.
def _second(since_epoch: int) -> str:
    return f"{datetime.fromtimestamp(since_epoch, UTC):%Y-%m-%dT%H:%M:%S}"


_ANONYMOUS = _quoted(ANONYMOUS.actor)
