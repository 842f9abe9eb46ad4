"""Threads for sources of streams that block: each stream has one as long as it lasts."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any

from google.protobuf.message import Message

from infrastructure.lanes.refusals import Overloaded, ShareExceeded
from infrastructure.rpc.stream import Source, StreamReply

Messages = Callable[[Any, StreamReply], Iterator[Message]]
"""Makes the messages for what was asked, one when the one before is on its way; may wait and raise.

It is closed early if the stream ends early.
"""


class Pumps:
    """At most `limit` streams at once, and at most `share` of one caller; further ones are refused.

    It must be closed after the gate, which ends the streams.
    """

    def __init__(self, name: str, limit: int, share: int) -> None:
        """`name` is that of the threads."""
        self._limit = limit
        self._share = share
        self._counting = Lock()
        self._under_way: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(limit, name)

    def source(self, messages: Messages) -> Source:
        """A source of these messages, which are made on a thread of the pumps."""

        def begin(asked: Any, reply: StreamReply) -> None:
            share = reply.share
            self._count(share)
            self._threads.submit(self._run, messages, asked, reply, share)

        return begin

    def close(self) -> None:
        """Waits until the threads have ended."""
        self._threads.shutdown()

    def _count(self, share: str) -> None:
        with self._counting:
            if self._under_way.total() >= self._limit:
                raise Overloaded
            if self._under_way[share] >= self._share:
                raise ShareExceeded
            self._under_way[share] += 1

    def _run(self, messages: Messages, asked: Any, reply: StreamReply, share: str) -> None:
        try:
            end = _sent(messages, asked, reply)
        finally:
            self._uncount(share)
        end()  # A caller that hears of the end may come again.

    def _uncount(self, share: str) -> None:
        with self._counting:
            self._under_way[share] -= 1
            if not self._under_way[share]:
                del self._under_way[share]


def _sent(messages: Messages, asked: Any, reply: StreamReply) -> Callable[[], None]:
    """Sends all messages, and returns what ends the stream."""
    try:
        for message in messages(asked, reply):
            reply.send(message)
    except Exception as error:  # noqa: BLE001 - nothing unmapped may leave, whatever it is
        return partial(reply.refuse, error)
    return reply.complete
