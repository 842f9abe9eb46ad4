"""Where calls come in: the methods over gRPC, readiness beside them, the same methods over HTTP."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from secrets import token_bytes

from application.identifiers import RANDOM_BYTES, workflow_id
from infrastructure.address import Address
from infrastructure.catalogue.loading import load
from infrastructure.eventstore.probe import Probe
from infrastructure.http.door import opened
from infrastructure.rpc.dispatch import answerers
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.guard import Guard, guarded
from infrastructure.rpc.health import Health, Obstacle, Readiness
from infrastructure.rpc.method import Surroundings
from infrastructure.rpc.served import Served
from infrastructure.rpc.server import Server
from infrastructure.rpc.stream import Source, guarded_streams
from infrastructure.rpc.workflows import methods as workflows
from infrastructure.settings import Settings
from infrastructure.telemetry.observer import Observer
from infrastructure.wire.calls import Method, StreamMethod
from infrastructure.wire.limits import Limits
from infrastructure.wiring.clock import now
from infrastructure.wiring.lanes import Lanes, entrances
from infrastructure.wiring.stop import End, stop
from infrastructure.wiring.store import Store

TABLES = (workflows.TABLE,)
"""The tables of all services."""


@dataclass(frozen=True, slots=True)
class Methods:
    """The guarded methods, and the port on which gRPC serves them."""

    served: Served
    port: int


@contextmanager
def opened_methods(
    settings: Settings,
    store: Store,
    lanes: Lanes,
    health: Health,
    server: Server,
    observer: Observer,
    end: End,
) -> Iterator[Methods]:
    """The methods on their address, behind the gate; readiness beside them.

    They are stopped when the block ends. Raises AddressInUse.
    """
    readiness = Readiness(health, lambda: _obstacle(server, lanes, store.probe), end.events)
    gate = Gate()
    surroundings = Surroundings(
        now, _new_id, settings.terminate_at_threshold, load(settings.catalogue)
    )
    served = _served(lanes, {}, surroundings, Guard(gate, observer))
    with ExitStack() as stack:
        stack.callback(readiness.stop)
        port = server.start(settings.listen, served)
        stack.callback(stop, server, gate, health, end)
        yield Methods(served, port)


@contextmanager
def opened_http(
    settings: Settings,
    served: Served,
    lanes: Lanes,
    health: Health,
    *,
    shares_port: bool,
) -> Iterator[int | None]:
    """The same methods over HTTP, if that has an address. Yields the port.

    Raises DoorAddressInUse.
    """
    if settings.http_listen is None:
        yield None
        return
    checks = {"threads": lambda: lanes.alive, "service": lambda: health.serving}
    address = Address.parse(settings.http_listen)
    with opened(address, served.services, served.methods, checks, shares_port=shares_port) as door:
        yield door.port


def _served(
    lanes: Lanes,
    sources: Mapping[str, Mapping[str, Source]],
    surroundings: Surroundings,
    guard: Guard,
) -> Served:
    """All services behind their guard. `sources` are those of streams, by service and method."""
    ways = entrances(lanes)
    methods: dict[str, Method] = {}
    streams: dict[str, StreamMethod] = {}
    for table in TABLES:
        unary = answerers(table.methods, ways, lanes.checks, surroundings)
        methods |= guarded(table.name, unary, table.rules(), guard)
        streams |= guarded_streams(table, sources.get(table.name, {}), surroundings, guard)
    return Served([table.descriptor for table in TABLES], methods, streams)


def wire_limits(settings: Settings) -> Limits:
    """The bounds of the wire, as they are set."""
    return Limits(
        calls=settings.calls,
        calls_per_connection=settings.calls_per_connection,
        request_bytes=settings.request_bytes,
        metadata_bytes=settings.metadata_bytes,
        window_bytes=settings.window_bytes,
        unread_bytes=settings.unread_bytes,
        patience=settings.patience,
        handshake=settings.handshake,
    )


def _obstacle(server: Server, lanes: Lanes, probe: Probe) -> Obstacle | None:
    if not (server.alive and lanes.alive):
        return Obstacle("a thread of the service ended", lasting=True)
    refused = probe.obstacle()
    return Obstacle(refused.why, refused.lasting) if refused else None


def _new_id(user_id: str) -> str:
    return workflow_id(user_id, now(), token_bytes(RANDOM_BYTES))
