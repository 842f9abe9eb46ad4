"""Health (grpc.health.v1): the process is alive, the service is ready, watchers receive changes.

The methods are like every method of ours on the wire. Nothing is sent under a lock: a change asks
the wire to take the status from each watcher when its stream is free, so a client that does not
read keeps one slot of its own and nobody else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event, Lock, Thread

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from infrastructure.telemetry.events import Events, InertEvents
from infrastructure.wire.calls import Call, Method, Stream, StreamMethod

HEALTH = "grpc.health.v1.Health"
PROCESS = ""
"""The name of the whole process in the health protocol."""

CHECK_EVERY = 1.0  # seconds
FAILURES_TO_UNREADY = 2
MAX_NAME = 255  # characters
MAX_WATCHERS = 1000

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN: int = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
_ENCODED: Mapping[int, bytes] = {
    status: health_pb2.HealthCheckResponse(status=status).SerializeToString()
    for status in (_SERVING, _NOT_SERVING, _UNKNOWN)
}


class Health:
    """The health of this process. Safe on any threads."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names` are those of the service; all of them are ready or not together."""
        self._statuses: dict[str, int] = dict.fromkeys((PROCESS, *names), _SERVING)
        self._changing = Lock()
        self._stopping = False
        self._obstacle = ""
        self._watchers: set[_Watcher] = set()

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods of one answer, by their full names; only those that the package describes."""
        bodies = {"Check": self._check, "List": self._list}  # grpcio-health-checking 1.80: no List
        described = health_pb2.DESCRIPTOR.services_by_name["Health"].methods_by_name
        return {f"/{HEALTH}/{name}": body for name, body in bodies.items() if name in described}

    @property
    def streams(self) -> Mapping[str, StreamMethod]:
        """The streaming method, by its full name."""
        return {f"/{HEALTH}/Watch": self._watch}

    def become(self, *, ready: bool, obstacle: str = "The service is not ready") -> None:
        """Sets whether the service is ready, or else why not. Ignored after `stop`."""
        with self._changing:
            if not self._stopping:
                self._obstacle = "" if ready else obstacle
                self._set(_SERVING if ready else _NOT_SERVING, but=(PROCESS,))
        self._tell()

    def stop(self) -> None:
        """Nothing is served any more: clients should go elsewhere."""
        with self._changing:
            self._stopping = True
            self._obstacle = "The service stops"
            self._set(_NOT_SERVING)
        self._tell()

    def status(self, name: str) -> int:
        """The status of a name."""
        return self._statuses.get(name, _UNKNOWN)

    @property
    def obstacle(self) -> str:
        """Why the service is not ready, in words for the client that asks; empty if it is."""
        return self._obstacle

    def _set(self, status: int, but: Sequence[str] = ()) -> None:
        for name in self._statuses:
            if name not in but:
                self._statuses[name] = status

    def _tell(self) -> None:
        with self._changing:
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher.stream.offer(watcher.take)

    def _check(self, request: bytes, call: Call) -> None:
        name = _name(request, call)
        if name is None:
            return
        status = self.status(name)
        if status == _UNKNOWN:
            call.refuse(grpc.StatusCode.NOT_FOUND, "This server offers no service of that name.")
        else:
            call.answer(_ENCODED[status])

    def _list(self, _: bytes, call: Call) -> None:
        statuses = {
            name: health_pb2.HealthCheckResponse(status=status)
            for name, status in self._statuses.items()
        }
        call.answer(health_pb2.HealthListResponse(statuses=statuses).SerializeToString())

    def _watch(self, request: bytes, stream: Stream) -> bool:
        name = _name(request, stream)
        if name is None:
            return False
        watcher = _Watcher(self, name, stream)
        with self._changing:
            accepted = len(self._watchers) < MAX_WATCHERS
            if accepted:
                self._watchers.add(watcher)
        if not accepted:
            text = f"The server has {MAX_WATCHERS} watchers already. Check instead."
            stream.refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
            return False
        stream.when_cancelled(partial(self._forget, watcher))
        stream.offer(watcher.take)
        return False

    def _forget(self, watcher: "_Watcher") -> None:
        with self._changing:
            self._watchers.discard(watcher)


class _Watcher:
    """A client that watches one name, and the last status that it received."""

    def __init__(self, health: Health, name: str, stream: Stream) -> None:
        self.stream = stream
        self._health = health
        self._name = name
        self._heard: int | None = None

    def take(self) -> bytes | None:
        """The status, if the client has not received it yet."""
        status = self._health.status(self._name)
        if status == self._heard:
            return None
        self._heard = status
        return _ENCODED[status]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps the service from its work; `lasting` if an operator must act.

    `why` is for operators only; `sentence` is for clients that ask whether the service is ready.
    """

    why: str
    lasting: bool = False
    sentence: str = "The service is not ready"


class Readiness:
    """Asks whether the service is ready, on a thread of its own, and lets health know.

    One success makes ready; FAILURES_TO_UNREADY in a row make unready, so that one lost
    connection among many does not send all clients away. A lasting obstacle needs no second look.
    """

    def __init__(
        self,
        health: Health,
        obstacle: Callable[[], Obstacle | None],
        events: Events | None = None,
    ) -> None:
        """`obstacle` returns what keeps the service from its work, None if nothing does."""
        self._health = health
        self._obstacle = obstacle
        self._events = events or InertEvents()
        self._stopped = Event()
        self._thread = Thread(target=self._follow, name="readiness", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops asking, and waits until the thread has ended."""
        self._stopped.set()
        self._thread.join()

    def _follow(self) -> None:
        failures, ready = 0, True
        while not self._stopped.is_set():
            obstacle = self._obstacle()
            failures = failures + 1 if obstacle else 0
            if obstacle is None:
                if not ready:
                    ready = True
                    self._health.become(ready=True)
                    self._events.ready()
            elif ready and (obstacle.lasting or failures >= FAILURES_TO_UNREADY):
                ready = False
                self._health.become(ready=False, obstacle=obstacle.sentence)
                self._events.not_ready(obstacle.why)
            self._stopped.wait(CHECK_EVERY)


def _name(request: bytes, call: Call | Stream) -> str | None:
    """The name that a request asks for; None if it was refused."""
    try:
        name: str = health_pb2.HealthCheckRequest.FromString(request).service
    except DecodeError:
        call.refuse(grpc.StatusCode.INVALID_ARGUMENT, "The request is no HealthCheckRequest.")
        return None
    if len(name) > MAX_NAME:
        text = f"service has {len(name)} characters; send at most {MAX_NAME}."
        call.refuse(grpc.StatusCode.INVALID_ARGUMENT, text)
        return None
    return name
