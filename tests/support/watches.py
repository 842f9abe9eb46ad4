"""Clients that watch events: each resumes where it was, whatever ends its watch."""

import time
from collections import Counter
from collections.abc import Sequence
from threading import Event, Thread
from typing import Any

import grpc
from workflows import history_pb2 as pb
from workflows.history_pb2_grpc import WorkflowHistoryServiceStub

AGAIN_AFTER = 0.05  # seconds
LIFE = 600.0  # seconds that a watch may last


class Watcher(Thread):
    """Watches all events from the beginning, at each of some addresses in turn."""

    def __init__(self, addresses: Sequence[str], **filter_fields: Any) -> None:
        super().__init__(daemon=True)
        self.positions: list[int] = []
        self.ends: Counter[str] = Counter()
        """How its watches ended, by the code."""
        self._addresses = list(addresses)
        self._filter = pb.EventFilter(**filter_fields)
        self._cursor = ""
        self._channel: grpc.Channel | None = None
        self._stopped = Event()

    @property
    def last(self) -> int:
        """The position of the last event that it saw."""
        return self.positions[-1] if self.positions else 0

    def run(self) -> None:
        """Watches, and resumes, until it is stopped."""
        while not self._stopped.is_set():
            self._addresses.append(address := self._addresses.pop(0))
            with grpc.insecure_channel(address) as self._channel:
                self._watch(self._channel)
            time.sleep(AGAIN_AFTER)

    def cut(self) -> None:
        """Kills its connection, in the middle of whatever comes."""
        if self._channel is not None:
            self._channel.close()

    def stop(self) -> None:
        """Ends it."""
        self._stopped.set()
        self.cut()
        self.join()

    def _watch(self, channel: grpc.Channel) -> None:
        stub = WorkflowHistoryServiceStub(channel)
        asked = pb.WatchEventsRequest(filter=self._filter, cursor=self._cursor)
        try:
            for response in stub.WatchEvents(asked, timeout=LIFE):
                self.positions += [event.position for event in response.events]
                self._cursor = response.cursor
        except (grpc.RpcError, ValueError) as ended:  # A ValueError means: the channel is closed.
            code = ended.code().name if isinstance(ended, grpc.Call) else "CUT"
            self.ends[code] += 1
