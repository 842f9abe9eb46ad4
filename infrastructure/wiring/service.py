"""The composition root: how all parts of the service are put together. Read it first."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from threading import Event

from infrastructure.catalogue.examiner import Examiner
from infrastructure.catalogue.loading import read
from infrastructure.http.pages import Page
from infrastructure.rpc.health import Health
from infrastructure.settings import Settings
from infrastructure.telemetry.events import Events, InertEvents
from infrastructure.telemetry.observer import InertObserver, Observer
from infrastructure.wiring.access import tls_files
from infrastructure.wiring.doors import Servers, opened_http, opened_methods
from infrastructure.wiring.followers import opened_followers
from infrastructure.wiring.lanes import opened_lanes
from infrastructure.wiring.services import TABLES
from infrastructure.wiring.stop import End
from infrastructure.wiring.store import opened_store
from infrastructure.wiring.streams import opened_streams


def _nothing_measured() -> tuple[bytes, str]:
    return b"", "text/plain"


@contextmanager
def running(
    settings: Settings,
    database: str,
    *,
    shares_port: bool = False,
    observer: Observer | None = None,
    events: Events | None = None,
    hurried: Event | None = None,
    measured: Page = _nothing_measured,
) -> Iterator["Running"]:
    """Serves on a migrated database until the block ends, then drains.

    `measured` makes the page of metrics.
    Leaving the block tells health first, then lets calls in flight finish while new ones are
    refused, then ends threads and sessions. Setting `hurried` ends the wait for calls in flight.
    Raises AddressInUse, KeysUnusable or TlsUnusable, or StoreUnavailable if the database cannot be
    reached.
    """
    observer = observer or InertObserver()
    end = End(events or InertEvents(), hurried or Event())
    names = (table.name for table in TABLES)
    health = Health([*names, *filter(None, [settings.health_alias])])
    tls = tls_files(settings)
    servers = Servers(settings, health, observer, shares_port=shares_port)
    with (
        opened_store(settings, database, observer, end.events) as store,
        closing(Examiner(read(settings.catalogue))) as examiner,
        closing(servers),  # Closed after the lanes have drained: what they finish is answered.
        opened_lanes(store, observer) as lanes,
        opened_followers(settings, database, store, observer) as followers,
        opened_streams(settings, database, store) as streams,
        opened_methods(
            settings, store, lanes, health, servers, tls, streams.sources, examiner, observer, end
        ) as methods,
        opened_http(
            settings,
            methods.served,
            store,
            lanes,
            health,
            measured,
            tls,
            observer,
            shares_port=shares_port,
        ) as http_port,
    ):
        alive = (servers, lanes, followers, streams)
        yield Running(
            methods.port,
            methods.internal_port,
            http_port,
            lambda: all(threads.alive for threads in alive),
        )


@dataclass(frozen=True, slots=True)
class Running:
    """A service that takes calls; `alive` says whether every thread still does its work.

    `internal_port` is None without an internal door, `http_port` if HTTP is not served; a Unix
    socket has no port: 0 stands for it.
    """

    port: int
    internal_port: int | None
    http_port: int | None
    alive: Callable[[], bool]
