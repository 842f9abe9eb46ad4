"""The followers of the feed, each run by one of all server processes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg import Connection

from application.followers import Follower
from infrastructure.eventstore.horizon import Horizon
from infrastructure.followers.places import greet
from infrastructure.followers.runner import Runner
from infrastructure.postgres.connection import with_network_guards
from infrastructure.postgres.session import Session
from infrastructure.proof.checkpointing import Checkpointing
from infrastructure.proof.keys import signing_key
from infrastructure.proof.logs import logs_of
from infrastructure.settings import Settings

STOP_WITHIN = 4.0  # seconds: longer than a transaction may take


def followers_of(settings: Settings) -> Sequence[Follower]:
    """The followers of an installation."""
    logs = logs_of(settings)
    if logs is None:
        return []
    return [Checkpointing(logs, lambda: signing_key(settings), settings.log_every)]


@contextmanager
def opened_followers(
    followers: Sequence[Follower], database: str, horizon: Horizon
) -> Iterator[Sequence[Runner]]:
    """Runs followers until the block ends; each has a thread and a connection of its own."""

    def greeted(connection: Connection[object]) -> None:
        greet(connection)
        horizon.look(connection)

    dsn = with_network_guards(database)
    runners = [Runner(follower, Session(dsn, greet=greeted)) for follower in followers]
    for runner in runners:
        runner.start()
    try:
        yield runners
    finally:
        for runner in runners:
            runner.stop(STOP_WITHIN)
