"""The application over one database: what commands and queries work on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from application.accesses import Recorder
from application.cursors import Cursors
from application.damage import Damaged, Reports
from application.erasure import Erasures
from application.handler import CommandHandler
from application.history.answers import Histories
from application.ledger import LedgerDigests
from application.queries import Queries
from application.searches import Searches
from application.trails import Trails
from application.verification.answers import Verifications
from infrastructure.eventstore.accesses import PostgresAccessLog
from infrastructure.eventstore.erasure import PostgresErasures
from infrastructure.eventstore.horizon import Horizon
from infrastructure.eventstore.log import WorkflowLog
from infrastructure.eventstore.marks import PostgresMarks
from infrastructure.eventstore.probe import Probe
from infrastructure.eventstore.records import PostgresRecords, configure_histories
from infrastructure.eventstore.store import PostgresEventStore
from infrastructure.eventstore.trails import PostgresTrails
from infrastructure.postgres.connection import BoundedConnection, with_network_guards
from infrastructure.postgres.session import Session
from infrastructure.postgres.watch import DatabaseWatch
from infrastructure.proof.logs import logs_of
from infrastructure.proof.receipts import receipts_of
from infrastructure.proof.signed import FolderLogs
from infrastructure.proof.verifier import SessionVerifier, read_only
from infrastructure.readmodel.pages import configure_lists
from infrastructure.readmodel.views import PostgresViews
from infrastructure.search.search import PostgresSearch
from infrastructure.settings import Settings
from infrastructure.telemetry.events import Events
from infrastructure.telemetry.observer import Observer
from infrastructure.wiring.clock import now

LISTS_AT_ONCE = 3  # threads, each with a connection
HISTORIES_AT_ONCE = 2  # likewise
CONNECTIONS_A_WORKER = LISTS_AT_ONCE + HISTORIES_AT_ONCE + 17
"""Also the writer, lookups, readiness, searches, accesses, trails, two to read events, two for
watches, three to verify workflows (a large one apart) and the feed, two to export, and one for each
follower."""


@dataclass(frozen=True, slots=True)
class Store:
    """What the lanes work on, what readiness asks, and what all sessions of the process share."""

    commands: CommandHandler
    lookups: Queries
    lists: list[Queries]
    histories: list[Histories]
    searches: Searches
    verifications: Verifications
    probe: Probe
    horizon: Horizon
    erasures: Erasures
    accesses: Recorder
    trails: Trails
    digests: LedgerDigests
    secret: bytes
    """Seals cursors."""


@contextmanager
def opened_store(
    settings: Settings, database: str, observer: Observer, operators: Events
) -> Iterator[Store]:
    """The application over sessions of one database: each session is for one thread.

    The sessions are closed when the block ends. Raises StoreUnavailable if the database cannot be
    reached, and LookupError if it lacks a secret that the migrations make.
    """
    dsn = with_network_guards(database)
    horizon = Horizon()
    watch = DatabaseWatch(observer, operators)
    reports = Reports()
    logs = FolderLogs(logs_of(settings))
    with ExitStack() as stack:

        def session(
            *,
            keeps_plans: bool = False,
            greet: Callable[[BoundedConnection], None] = horizon.look,
        ) -> Session:
            opened = Session(dsn, keeps_plans=keeps_plans, greet=greet, watch=watch)
            return stack.enter_context(closing(opened))

        def queries(session: Session) -> Queries:
            streams = PostgresEventStore(session, log, now, horizon)
            damaged = Damaged(PostgresMarks(session), reports)
            views = PostgresViews(session, streams, damaged)
            return Queries(views, cursors, settings.page_size, damaged)

        def histories() -> Histories:
            records = PostgresRecords(session(greet=bound_histories))
            return Histories(
                records, secret, lambda: horizon.feed, digests, settings.page_size, logs
            )

        def searches(session: Session) -> Searches:
            found = PostgresSearch(session, digests)
            return Searches(found, PostgresRecords(session), secret, lambda: horizon.feed, logs)

        def bound_histories(connection: BoundedConnection) -> None:
            horizon.look(connection)
            configure_histories(connection)

        def bound_lists(connection: BoundedConnection) -> None:
            horizon.look(connection)
            configure_lists(connection)

        def bound_verification(connection: BoundedConnection) -> None:
            horizon.look(connection)
            read_only(connection)

        looking = session(keeps_plans=True)
        # These look first: they find a database that is away sooner than the log's library.
        secret = _secret(looking, "cursor")
        cursors = Cursors(secret, lambda: horizon.feed)
        digests = LedgerDigests(_secret(looking, "ledger"))
        log = stack.enter_context(closing(WorkflowLog(dsn)))
        writing = session(keeps_plans=True)
        events = PostgresEventStore(writing, log, now, horizon, observer)
        receipts = receipts_of(settings)
        erasures = Erasures(
            PostgresErasures(database), receipts, receipts.sign, erases=settings.followers
        )
        erasures.resume()  # A restored database forgets again before anything is served.
        yield Store(
            CommandHandler(events, digests, damaged=Damaged(PostgresMarks(writing), reports)),
            queries(looking),
            [queries(session(greet=bound_lists)) for _ in range(LISTS_AT_ONCE)],
            [histories() for _ in range(HISTORIES_AT_ONCE)],
            searches(session(greet=bound_histories)),
            Verifications(
                SessionVerifier(session(greet=bound_verification), logs_of(settings), now, dsn)
            ),
            Probe(session(), horizon, watch),
            horizon,
            erasures,
            Recorder(PostgresAccessLog(session(keeps_plans=True))),
            Trails(PostgresTrails(session()), receipts.proofs, secret, lambda: horizon.feed),
            digests,
            secret,
        )


def _secret(session: Session, name: str) -> bytes:
    found = session.read(
        lambda connection: connection.execute(
            "SELECT secret FROM service_secrets WHERE name = %s", (name,)
        ).fetchone()
    )
    if found is None:
        raise LookupError(f"the database has no secret named {name}; run: workflows migrate")
    return bytes(found[0])
