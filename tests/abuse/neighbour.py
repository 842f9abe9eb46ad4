"""An ordinary client while others attack, and what the attacked process holds meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Self, TypeVar

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.client import Refused, ask
from tests.support.service import Service

T = TypeVar("T")
ANSWERED_WITHIN = 10.0  # seconds: of any call, on a machine that does much else
_CREATE_EVERY = 10  # Gets
_FOR_THE_LOAD = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_PAUSE = 0.005  # seconds before a refused call is made again
_SAMPLE_EVERY = 0.05  # seconds


class Held:
    """What a process and those that it started hold."""

    def __init__(self, pid: int) -> None:
        service = psutil.Process(pid)
        processes = [service, *service.children(recursive=True)]
        self.memory = sum(process.memory_info().rss for process in processes)
        self.threads = service.num_threads()
        self.descriptors = service.num_fds()

    def __repr__(self) -> str:
        mebibytes = self.memory / 1024**2
        return f"{mebibytes:.0f} MiB, {self.threads} threads, {self.descriptors} descriptors"


class Peak:
    """The most memory that a process holds until the block ends."""

    def __init__(self, pid: int) -> None:
        self.memory = 0
        self._pid = pid
        self._over = Event()
        self._thread = Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(_SAMPLE_EVERY):
            self.memory = max(self.memory, Held(self._pid).memory)


@dataclass
class Served:
    """How long a neighbour's calls took, in seconds."""

    gets: list[float] = field(default_factory=list)
    creates: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)

    def __add__(self, other: "Served") -> "Served":
        return Served(
            self.gets + other.gets, self.creates + other.creates, self.health + other.health
        )


class Neighbour:
    """Reads its workflow again and again, creates one now and then, and asks for health."""

    def __init__(self, service: Service) -> None:
        self._client = service.client
        self._workflow = self._client.created("neighbour")
        self._health = health_pb2_grpc.HealthStub(self._client.channel)

    def live(self, seconds: float) -> Served:
        """Lives for so long, and for so many calls that each kind is among them."""
        served = Served()
        deadline = monotonic() + seconds
        while monotonic() < deadline or len(served.gets) < 3:
            if len(served.gets) % _CREATE_EVERY == 0:
                served.creates.append(_seconds(self._create))
                served.health.append(_seconds(self._ask_for_health))
            served.gets.append(_seconds(self._get))
            sleep(0.001)  # Others of this test's process, which measure memory, have their turn.
        return served

    def _get(self) -> None:
        answer = _patiently(lambda: self._client.get(self._workflow, "neighbour"))
        assert answer.message.id == self._workflow

    def _create(self) -> None:
        _patiently(lambda: self._client.created("neighbour"))

    def _ask_for_health(self) -> None:
        asked = health_pb2.HealthCheckRequest()
        answer = _patiently(lambda: ask(self._health.Check, asked, within=ANSWERED_WITHIN).message)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def _patiently(call: Callable[[], T]) -> T:
    """The answer of a call; it is made again as long as it is refused for the load."""
    deadline = monotonic() + ANSWERED_WITHIN
    while True:
        try:
            return call()
        except Refused as refused:
            if refused.code not in _FOR_THE_LOAD or monotonic() > deadline:
                raise
        sleep(_PAUSE)


def _seconds(call: Callable[[], None]) -> float:
    begun = monotonic()
    call()
    return monotonic() - begun
