"""The hub that serves the watches of a process, on sessions of its own."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from application.watches import WatchCursors
from infrastructure.eventstore.erasure_marks import PostgresErasureMarks
from infrastructure.eventstore.feed import PostgresFeed
from infrastructure.eventstore.records import PostgresRecords, configure_histories
from infrastructure.postgres.connection import BoundedConnection, with_network_guards
from infrastructure.postgres.session import Session
from infrastructure.proof.logs import logs_of
from infrastructure.proof.signed import FolderLogs
from infrastructure.rpc.history.watch import shown
from infrastructure.settings import Settings
from infrastructure.watching.hub import Hub
from infrastructure.watching.selection import Selection
from infrastructure.wiring.store import Store

STOP_WITHIN = 4.0  # seconds: longer than a read may take


@contextmanager
def opened_watches(settings: Settings, database: str, store: Store) -> Iterator[Hub]:
    """Serves watches until the block ends. No connection is opened before somebody watches."""
    dsn = with_network_guards(database)

    def bound(connection: BoundedConnection) -> None:
        store.horizon.look(connection)
        configure_histories(connection)

    with (
        closing(Session(dsn, greet=store.horizon.look)) as reading,
        closing(Session(dsn, greet=bound)) as looking,
    ):
        feed = PostgresFeed(reading)
        selection = Selection(feed, PostgresRecords(looking), FolderLogs(logs_of(settings)), shown)
        # The wire cancels a stream whose client does not read; the hub tells it before why.
        hub = Hub(
            feed,
            PostgresErasureMarks(reading),
            selection,
            WatchCursors(store.secret),
            settings.patience / 2,
        )
        hub.start()
        try:
            yield hub
        finally:
            hub.stop(STOP_WITHIN)
