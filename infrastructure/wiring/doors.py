"""Where calls come in: the methods over gRPC at one or two doors, and the same over HTTP."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from secrets import token_bytes
from typing import Any

from grpc import ServerCredentials

from application.identifiers import NewIds
from infrastructure.address import Address
from infrastructure.catalogue.examiner import Examiner
from infrastructure.catalogue.loading import load
from infrastructure.eventstore.probe import Probe
from infrastructure.http.door import opened
from infrastructure.http.hosts import ThisMachine
from infrastructure.http.pages import Page, application
from infrastructure.identity.cause import Cause
from infrastructure.identity.tls import TlsFiles
from infrastructure.rpc.encryption import credentials
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.guard import Guard
from infrastructure.rpc.health import Health, Obstacle, Readiness
from infrastructure.rpc.method import Surroundings
from infrastructure.rpc.served import Served
from infrastructure.rpc.server import Server
from infrastructure.settings import Settings
from infrastructure.telemetry.observer import Observer
from infrastructure.wire.calls import Metadata
from infrastructure.wiring.access import identification
from infrastructure.wiring.clock import now
from infrastructure.wiring.lanes import Lanes
from infrastructure.wiring.limits import allowances, http_bounds, wire_limits
from infrastructure.wiring.services import Sources, served
from infrastructure.wiring.stop import End, stop
from infrastructure.wiring.store import Store

_THREAD_ENDED = "A thread of the service ended"


class Servers:
    """The gRPC servers: one for the public door, and one for the internal door if that has one."""

    def __init__(
        self, settings: Settings, health: Health, observer: Observer, *, shares_port: bool
    ) -> None:
        """With `shares_port`, processes may share the ports."""

        def server() -> Server:
            limits = wire_limits(settings)
            return Server(settings.wire, health, limits, observer, shares_port=shares_port)

        self.public = server()
        self.internal = server() if settings.internal_listen else None

    @property
    def all(self) -> list[Server]:
        """The servers that there are."""
        return [self.public, self.internal] if self.internal else [self.public]

    @property
    def alive(self) -> bool:
        """Whether the threads of all do their work."""
        return all(server.alive for server in self.all)

    def close(self) -> None:
        """Ends the threads. See Server.close."""
        for server in self.all:
            server.close()


@dataclass(frozen=True, slots=True)
class Methods:
    """The guarded methods of the public door, and the ports on which gRPC serves.

    `internal_port` is None if the public door has all methods.
    """

    served: Served
    port: int
    internal_port: int | None


@contextmanager
def opened_methods(
    settings: Settings,
    store: Store,
    lanes: Lanes,
    health: Health,
    servers: Servers,
    tls: TlsFiles | None,
    streams: Sources,
    examiner: Examiner,
    observer: Observer,
    end: End,
) -> Iterator[Methods]:
    """The methods on their addresses, behind the gate; readiness beside them.

    They are stopped when the block ends. Raises AddressInUse.
    """
    readiness = Readiness(health, lambda: _obstacle(servers, lanes, store.probe), end.events)
    gate = Gate(settings.calls, settings.shed_at, settings.streams)
    surroundings = Surroundings(
        now,
        NewIds(token_bytes),
        settings.terminate_at_threshold,
        load(settings.catalogue),
        examiner.catalogue,
    )
    guard = Guard(
        gate,
        observer,
        identification(settings, lanes.checks),
        *allowances(settings),
        settings.longest_wait,
    )
    every = served(lanes, streams, surroundings, guard)
    at_public = every.public if servers.internal else every
    internal_port = None
    with ExitStack() as stack:
        stack.callback(readiness.stop)
        if servers.internal is not None and settings.internal_listen is not None:
            encryption = _encryption(tls, requires_client="mtls" in settings.auth)
            internal_port = servers.internal.start(settings.internal_listen, every, encryption)
            stack.callback(servers.internal.stop, 0)
        encryption = _encryption(tls, requires_client=settings.auth == "mtls")
        port = servers.public.start(settings.listen, at_public, encryption)
        stack.pop_all()
        stack.callback(readiness.stop)
        stack.callback(stop, servers.all, gate, health, end)
        yield Methods(at_public, port, internal_port)


@contextmanager
def opened_http(
    settings: Settings,
    served: Served,
    store: Store,
    lanes: Lanes,
    health: Health,
    measured: Page,
    tls: TlsFiles | None,
    observer: Observer,
    *,
    shares_port: bool,
) -> Iterator[int | None]:
    """The methods of the public door over HTTP, if that has an address. Yields the port.

    Raises DoorAddressInUse.
    """
    if settings.http_listen is None:
        yield None
        return
    checks = {
        "threads": lambda: "" if lanes.alive else _THREAD_ENDED,
        "service": lambda: health.obstacle,
    }
    address = Address.parse(settings.http_listen)
    bounds = http_bounds(settings)
    details = partial(_details, store.probe)

    def tell(method: str, code: str, metadata: Metadata) -> None:
        observer.call_ended(method, code, 0.0, Cause(metadata))

    app = application(served, checks, details, measured, bounds, settings.origins, tell)
    if not address.path and settings.auth == "none" and not settings.insecure_listen_anywhere:
        app = ThisMachine(app)
    with opened(address, app, bounds, tls, shares_port=shares_port) as door:
        yield door.port


def _encryption(tls: TlsFiles | None, *, requires_client: bool) -> ServerCredentials | None:
    return None if tls is None else credentials(tls, requires_client=requires_client)


def _obstacle(servers: Servers, lanes: Lanes, probe: Probe) -> Obstacle | None:
    if not (servers.alive and lanes.alive):
        return Obstacle(_THREAD_ENDED, lasting=True, sentence=_THREAD_ENDED)
    refused = probe.obstacle()
    if refused is None:
        return None
    return Obstacle(refused.why, refused.lasting, f"{refused} ({refused.reason})")


def _details(probe: Probe) -> Mapping[str, Any]:
    """The followers of the feed as readiness tells of them: no fault, for strangers may ask."""
    followers = [
        {
            "name": state.name,
            "position": state.place.position,
            "behind": state.behind,
            "running": state.running,
            "failures": state.failures,
        }
        for state in probe.followers
    ]
    return {"followers": followers}
