"""The composition root: how all parts of the service are put together. Read it first."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from threading import Event

from infrastructure.rpc.health import Health
from infrastructure.rpc.server import Server
from infrastructure.settings import Settings
from infrastructure.telemetry.events import Events, InertEvents
from infrastructure.telemetry.observer import InertObserver, Observer
from infrastructure.wiring.doors import TABLES, opened_http, opened_methods, wire_limits
from infrastructure.wiring.followers import opened_followers
from infrastructure.wiring.lanes import opened_lanes
from infrastructure.wiring.stop import End
from infrastructure.wiring.store import opened_store


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
    end = End(events or InertEvents(), hurried or Event())
    names = (table.name for table in TABLES)
    health = Health([*names, *filter(None, [settings.health_alias])])
    server = Server(settings.wire, health, wire_limits(settings), shares_port=shares_port)
    with (
        opened_store(settings, database, observer, end.events) as store,
        closing(server),  # Closed after the lanes have drained: what they finish is answered.
        opened_lanes(store, observer) as lanes,
        opened_followers(settings, database, store) as followers,
        opened_methods(settings, store, lanes, health, server, observer, end) as methods,
        opened_http(settings, methods.served, lanes, health, shares_port=shares_port) as http_port,
    ):
        alive = (server, lanes, followers)
        yield Running(methods.port, http_port, lambda: all(threads.alive for threads in alive))


@dataclass(frozen=True, slots=True)
class Running:
    """A service that takes calls; `alive` says whether every thread still does its work.

    `http_port` is None if HTTP is not served.
    """

    port: int
    http_port: int | None
    alive: Callable[[], bool]
