"""The write road of the service on one thread, as a test drives it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from application.draft import Done, Submission
from application.handler import CommandHandler
from application.ports import EventStore, Origin
from domain.commands import Command
from infrastructure.eventstore.horizon import Horizon
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.eventstore.store import PostgresEventStore
from infrastructure.postgres.connection import with_network_guards
from infrastructure.postgres.session import Session
from tests.support.stores import DIGESTS

_ORIGIN = Origin("tester", "request")


@contextmanager
def event_store(dsn: str) -> Iterator[PostgresEventStore]:
    """An event store on connections of its own."""
    guarded = with_network_guards(dsn)
    horizon = Horizon()
    session, log = Session(guarded, greet=horizon.look), WorkflowLog(guarded)
    try:
        yield PostgresEventStore(session, log, lambda: datetime.now(UTC), horizon)
    finally:
        session.close()
        log.close()


class Writer:
    """Hands batches of commands to the handler."""

    def __init__(self, store: EventStore) -> None:
        self._handler = CommandHandler(store, DIGESTS)

    def write(self, *commands: Command) -> Sequence[Done | Exception]:
        """The outcomes of a batch."""
        return self._handler.handle([Submission(command, _ORIGIN) for command in commands])

    def done(self, *commands: Command) -> Sequence[Done]:
        """The outcomes of a batch in which nothing may fail."""
        outcomes = self.write(*commands)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return [outcome for outcome in outcomes if isinstance(outcome, Done)]


@contextmanager
def writer(dsn: str) -> Iterator[Writer]:
    """A writer on connections of its own."""
    with event_store(dsn) as store:
        yield Writer(store)
