"""Where the messages of streams come from."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from google.protobuf.message import Message

from application.verification.answers import VerifyFeed
from infrastructure.contract import HISTORY_SERVICE
from infrastructure.packs.apart import PacksApart
from infrastructure.postgres.connection import with_network_guards
from infrastructure.proof.apart import FeedJob, feed_verified_apart
from infrastructure.proof.keys import signing_key
from infrastructure.proof.logs import logs_of
from infrastructure.proof.verifying import STALE_AFTER
from infrastructure.rpc.history.exports import messages
from infrastructure.rpc.history.verification import feed_progress, feed_report
from infrastructure.rpc.history.watch import WatchSource
from infrastructure.rpc.pumps import Messages, Pumps
from infrastructure.rpc.stream import Source, StreamReply
from infrastructure.settings import Settings
from infrastructure.watching.hub import Hub
from infrastructure.wiring.services import Sources
from infrastructure.wiring.store import Store
from infrastructure.wiring.watches import opened_watches

VERIFICATIONS_AT_ONCE = 1  # of the feed, each with a process and a connection
EXPORTS_AT_ONCE = 2  # one of a caller; each with a process and a connection


@dataclass(frozen=True, slots=True)
class Streams:
    """The sources of all streams, and the hub that serves the watches among them."""

    sources: Sources
    hub: Hub

    @property
    def alive(self) -> bool:
        """Whether the threads that always run do their work."""
        return self.hub.alive


@contextmanager
def opened_streams(settings: Settings, database: str, store: Store) -> Iterator[Streams]:
    """The streams; their threads end with the block."""
    verifications = Pumps("verification", VERIFICATIONS_AT_ONCE, VERIFICATIONS_AT_ONCE)
    exports = Pumps("exports", EXPORTS_AT_ONCE, share=1)
    packs = PacksApart(database, logs_of(settings), lambda: signing_key(settings))
    with (
        closing(verifications),
        closing(exports),
        opened_watches(settings, database, store) as hub,
    ):
        verification = verifications.source(_feed_verification(settings, database))
        of_history: dict[str, Source] = {
            "WatchEvents": WatchSource(hub),
            "VerifyFeed": verification,
            "ExportPack": exports.source(messages(packs)),
        }
        yield Streams({HISTORY_SERVICE.full_name: of_history}, hub)


def _feed_verification(settings: Settings, database: str) -> Messages:
    logs, stale_after = logs_of(settings), STALE_AFTER + settings.log_every
    dsn = with_network_guards(database)

    def messages(asked: VerifyFeed, reply: StreamReply) -> Iterator[Message]:
        job = FeedJob(dsn, logs, stale_after, asked.since_last)
        report = feed_verified_apart(
            job, lambda progress: reply.send(feed_progress(progress)), lambda: not reply.ended
        )
        if report is not None:
            yield feed_report(report)

    return messages
