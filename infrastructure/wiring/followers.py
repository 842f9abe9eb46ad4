"""The followers of the feed, each run by one of all server processes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from application.followers import Follower
from infrastructure.eventstore.horizon import Horizon
from infrastructure.followers.places import greet
from infrastructure.followers.runner import Runner
from infrastructure.postgres.connection import BoundedConnection, with_network_guards
from infrastructure.postgres.session import Session
from infrastructure.proof import checkpointing
from infrastructure.proof.checkpointing import Checkpointing
from infrastructure.proof.keys import signing_key
from infrastructure.proof.logs import logs_of
from infrastructure.search import follower as search
from infrastructure.search.follower import SearchFollower
from infrastructure.settings import Settings
from infrastructure.telemetry.observer import Observer
from infrastructure.wiring.store import Store

STOP_WITHIN = 4.0  # seconds: longer than a transaction may take


def followers_of(settings: Settings, store: Store) -> Sequence[Follower]:
    """The followers of an installation. A relay to a broker would be one more."""
    followers: list[Follower] = [SearchFollower(store.digests)]
    if (logs := logs_of(settings)) is not None:
        followers.append(Checkpointing(logs, lambda: signing_key(settings), settings.log_every))
    return followers


def names_of(settings: Settings) -> Sequence[str]:
    """The names of the followers of an installation."""
    return [search.NAME] if logs_of(settings) is None else [search.NAME, checkpointing.NAME]


@contextmanager
def opened_followers(
    settings: Settings, database: str, store: Store, observer: Observer
) -> Iterator["Runners"]:
    """Runs the followers until the block ends; each has a thread and a connection of its own."""
    dsn = with_network_guards(database)
    followers = followers_of(settings, store) if settings.followers else []
    runners = Runners([Runner(each, _session(dsn, store.horizon), observer) for each in followers])
    runners.start()
    try:
        yield runners
    finally:
        runners.stop()


class Runners:
    """The runners of a process."""

    def __init__(self, runners: Sequence[Runner]) -> None:
        self._runners = runners

    def start(self) -> None:
        """Starts all of them."""
        for runner in self._runners:
            runner.start()

    @property
    def alive(self) -> bool:
        """Whether the threads of all of them do their work."""
        return all(runner.alive for runner in self._runners)

    def stop(self) -> None:
        """Stops all of them, and waits until they have finished what they do."""
        for runner in self._runners:
            runner.ask_to_stop()
        for runner in self._runners:
            runner.stop(STOP_WITHIN)


def _session(dsn: str, horizon: Horizon) -> Session:
    def greeted(connection: BoundedConnection) -> None:
        greet(connection)
        horizon.look(connection)

    return Session(dsn, greet=greeted)
