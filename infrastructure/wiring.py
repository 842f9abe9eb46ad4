"""The composition root: the only place that names every concrete part. Read it top to bottom."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_bytes
from threading import Event
from typing import Any

from application.cursors import Cursors
from application.draft import Done, Submission
from application.handler import CommandHandler
from application.identifiers import RANDOM_BYTES, workflow_id
from application.ledger import LedgerDigests
from application.ports import View
from application.queries import Lookup, Page, PageRequest, Queries
from infrastructure.address import Address
from infrastructure.catalogue.loading import load
from infrastructure.contract import SERVICE
from infrastructure.eventstore.horizon import Horizon
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.eventstore.probe import Probe
from infrastructure.eventstore.store import PostgresEventStore
from infrastructure.http.door import opened
from infrastructure.identity.origin import Origins
from infrastructure.lanes.batcher import Limits
from infrastructure.lanes.lane import Lane
from infrastructure.lanes.parallel import ParallelLanes
from infrastructure.postgres.connection import BoundedConnection, with_network_guards
from infrastructure.postgres.session import Session
from infrastructure.postgres.watch import DatabaseWatch
from infrastructure.readmodel.views import PostgresViews, configure_lists
from infrastructure.rpc.dispatch import Entrance, answerers, checked
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.guard import guarded
from infrastructure.rpc.health import Health, Obstacle, Readiness
from infrastructure.rpc.method import LaneName, Surroundings
from infrastructure.rpc.server import Server
from infrastructure.rpc.workflows.methods import METHODS
from infrastructure.settings import Settings
from infrastructure.telemetry.events import Events, InertEvents
from infrastructure.telemetry.observer import InertObserver, Observer
from infrastructure.wire.calls import Method
from infrastructure.wire.limits import Limits as WireLimits

WRITES = Limits()
LOOKUPS = Limits(batch=128, linger=0.004)  # A workflow may hold a payload of 1 MiB.
CHECKS = Limits(queue=256, queue_bytes=16_000_000, share=64, share_bytes=4_000_000, batch=1)
LISTS = Limits(queue=1024, share=256, batch=1)
LISTS_AT_ONCE = 3  # threads, each with a connection
CONNECTIONS_A_WORKER = LISTS_AT_ONCE + 5  # writer, lookups, readiness, and two to read events

STORED_TWICE = 2  # A command is stored in its event and in the current-state row.

LOOK_EVERY = 0.1  # seconds between two looks whether a stop is to hurry
GRACE = 10.0  # seconds that calls in flight have to finish when the service stops
LAST_WORDS = 0.3  # seconds without a call after which a stopping service refuses none any more
WORDS_FOR_ALL = 3.0  # seconds that it goes on refusing calls in words if they do not cease
CUT_OFF = 1.0  # seconds that what is no call of ours has to end, watchers of health among it


@contextmanager
def running(
    settings: Settings,
    database: str,
    *,
    shares_port: bool = False,
    observer: Observer | None = None,
    events: Events | None = None,
    hurried: Event | None = None,
) -> Iterator["Running"]:
    """Serves on a migrated database until the block ends, then drains.

    Leaving the block tells health first, then lets calls in flight finish while new ones are
    refused, then ends threads and sessions. Setting `hurried` ends the wait for calls in flight.
    Raises AddressInUse, or StoreUnavailable if the database cannot be reached.
    """
    observer = observer or InertObserver()
    end = _End(events or InertEvents(), hurried or Event())
    health = Health([SERVICE.full_name, *filter(None, [settings.health_alias])])
    server = Server(settings.wire, health, wire_limits(settings), shares_port=shares_port)
    with (
        _store(settings, database, observer, end.events) as store,
        closing(server),  # Closed after the lanes have drained: what they finish is answered.
        _lanes(store, observer) as lanes,
        _doors(settings, store, lanes, health, server, observer, end) as methods,
        _http(settings, methods.served, lanes, shares_port=shares_port) as http_port,
    ):
        yield Running(methods.port, http_port, lambda: lanes.alive)


@dataclass(frozen=True, slots=True)
class Running:
    """A service that takes calls; `alive` says whether every thread still does its work.

    `http_port` is None if HTTP is not served.
    """

    port: int
    http_port: int | None
    alive: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _End:
    """Who hears of the service's end, and what cuts the wait for calls in flight short."""

    events: Events
    hurried: Event


@dataclass(frozen=True, slots=True)
class _Store:
    """What the lanes work on, and what readiness asks."""

    commands: CommandHandler
    lookups: Queries
    lists: list[Queries]
    probe: Probe


@contextmanager
def _store(
    settings: Settings, database: str, observer: Observer, operators: Events
) -> Iterator[_Store]:
    """The application over sessions of one database: each session is for one thread."""
    dsn = with_network_guards(database)
    horizon = Horizon()
    watch = DatabaseWatch(observer, operators)
    with ExitStack() as stack:

        def session(
            *,
            keeps_plans: bool = False,
            greet: Callable[[BoundedConnection], None] = horizon.look,
        ) -> Session:
            opened = Session(dsn, keeps_plans=keeps_plans, greet=greet, watch=watch)
            return stack.enter_context(closing(opened))

        def queries(session: Session) -> Queries:
            streams = PostgresEventStore(session, log, _now, horizon)
            return Queries(PostgresViews(session, streams), cursors, settings.page_size)

        def bound_lists(connection: BoundedConnection) -> None:
            horizon.look(connection)
            configure_lists(connection)

        looking = session(keeps_plans=True)
        # These look first: they find a database that is away sooner than the log's library.
        cursors = Cursors(_secret(looking, "cursor"), lambda: horizon.feed)
        digests = LedgerDigests(_secret(looking, "ledger"))
        log = stack.enter_context(closing(WorkflowLog(dsn)))
        events = PostgresEventStore(session(keeps_plans=True), log, _now, horizon, observer)
        yield _Store(
            CommandHandler(events, digests),
            queries(looking),
            [queries(session(greet=bound_lists)) for _ in range(LISTS_AT_ONCE)],
            Probe(session(), horizon, watch),
        )


@dataclass(frozen=True, slots=True)
class _Lanes:
    """Where callers wait for the threads that work for them."""

    writes: Lane[Submission, Done]
    lookups: Lane[Lookup, View]
    lists: list[Lane[PageRequest, Page]]
    checks: Lane[Callable[[], Any], Any]

    @property
    def all(self) -> list[Lane[Any, Any]]:
        """Every lane, those first from which work goes on to others."""
        return [self.checks, *self.lists, self.lookups, self.writes]

    @property
    def alive(self) -> bool:
        """Whether the threads of all lanes do their work."""
        return all(lane.alive for lane in self.all)


@contextmanager
def _lanes(store: _Store, observer: Observer) -> Iterator[_Lanes]:
    """The lanes, which are drained when the block ends."""
    lists = [Lane(LaneName.LISTS, each.pages, LISTS, observer) for each in store.lists]
    lookups = Lane(LaneName.LOOKUPS, store.lookups.look_up, LOOKUPS, observer)
    writes = Lane(LaneName.WRITES, store.commands.handle, WRITES, observer)
    checks: Lane[Callable[[], Any], Any] = Lane(LaneName.CHECKS, checked, CHECKS, observer)
    lanes = _Lanes(writes, lookups, lists, checks)
    try:
        yield lanes
    finally:
        for lane in lanes.all:
            lane.drain()


@dataclass(frozen=True, slots=True)
class _Methods:
    """The guarded methods, by full name, and the port on which gRPC serves them."""

    served: Mapping[str, Method]
    port: int


@contextmanager
def _doors(
    settings: Settings,
    store: _Store,
    lanes: _Lanes,
    health: Health,
    server: Server,
    observer: Observer,
    end: _End,
) -> Iterator[_Methods]:
    """The methods on their address, behind the gate; readiness beside them."""
    readiness = Readiness(health, lambda: _obstacle(lanes, store.probe), end.events)
    gate = Gate()
    surroundings = Surroundings(
        _now, _new_id, settings.terminate_at_threshold, load(settings.catalogue)
    )
    methods = answerers(METHODS, _entrances(lanes), lanes.checks, surroundings)
    served = guarded(SERVICE.full_name, methods, gate, observer)
    with ExitStack() as stack:
        stack.callback(readiness.stop)
        port = server.start(settings.listen, served)
        stack.callback(_stop, server, gate, health, end)
        yield _Methods(served, port)


@contextmanager
def _http(
    settings: Settings, served: Mapping[str, Method], lanes: _Lanes, *, shares_port: bool
) -> Iterator[int | None]:
    """The same methods over HTTP, if that has an address. Yields the port."""
    if settings.http_listen is None:
        yield None
        return
    checks = {"threads": lambda: lanes.alive}
    address = Address.parse(settings.http_listen)
    with opened(address, SERVICE, served, checks, shares_port=shares_port) as door:
        yield door.port


def _entrances(lanes: _Lanes) -> Mapping[LaneName, Entrance]:
    origins = Origins()
    return {
        LaneName.WRITES: Entrance(
            lanes.writes,
            lambda command, metadata, method: Submission(command, origins.of(metadata, method)),
            STORED_TWICE,
        ),
        LaneName.LOOKUPS: Entrance(lanes.lookups, lambda lookup, *_: lookup),
        LaneName.LISTS: Entrance(ParallelLanes(lanes.lists), lambda page, *_: page),
    }


def wire_limits(settings: Settings) -> WireLimits:
    """The bounds of the wire, as they are set."""
    return WireLimits(
        calls=settings.calls,
        calls_per_connection=settings.calls_per_connection,
        request_bytes=settings.request_bytes,
        metadata_bytes=settings.metadata_bytes,
        window_bytes=settings.window_bytes,
        unread_bytes=settings.unread_bytes,
        patience=settings.patience,
        handshake=settings.handshake,
    )


def _stop(server: Server, gate: Gate, health: Health, end: _End) -> None:
    health.stop()
    gate.close()
    end.events.stopping(gate.inside)
    patient_until = time.monotonic() + GRACE
    while not gate.drained(LOOK_EVERY) and time.monotonic() < patient_until:
        if end.hurried.is_set():
            break
    # The server drops calls that arrived but were not handed out yet: those end as CANCELLED,
    # after which no client tries elsewhere. All get time to come and to hear a refusal first.
    patient_until = time.monotonic() + WORDS_FOR_ALL
    turned_away = -1
    while gate.turned_away > turned_away and time.monotonic() < patient_until:
        turned_away = gate.turned_away
        time.sleep(LAST_WORDS)
    server.stop(CUT_OFF)


def _secret(session: Session, name: str) -> bytes:
    found = session.read(
        lambda connection: connection.execute(
            "SELECT secret FROM service_secrets WHERE name = %s", (name,)
        ).fetchone()
    )
    if found is None:
        raise LookupError(f"the database has no secret named {name}; run: workflows migrate")
    return bytes(found[0])


def _obstacle(lanes: _Lanes, probe: Probe) -> Obstacle | None:
    if not lanes.alive:
        return Obstacle("a thread of the service ended", lasting=True)
    refused = probe.obstacle()
    return Obstacle(refused.why, refused.lasting) if refused else None


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id(user_id: str) -> str:
    return workflow_id(user_id, _now(), token_bytes(RANDOM_BYTES))
