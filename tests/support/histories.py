"""Histories as a server process reads them, beside a store that records them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from application.draft import Done, Outcome, Submission
from application.handler import CommandHandler
from application.history.answers import Histories
from application.history.questions import Question
from application.history.results import Answer
from application.history.states import State, state_at
from application.ports import Origin, Version
from domain.commands import Command
from infrastructure.eventstore.horizon import Horizon
from infrastructure.eventstore.records import PostgresRecords, configure_histories
from infrastructure.postgres.session import Session
from infrastructure.proof.logs import Logs
from infrastructure.proof.signed import FolderLogs
from tests.support.stores import DIGESTS, OpenStore, open_store

ORIGIN = Origin("gateway", "req", "trace", "alice", "UpdateWorkflow")
PAGE = 3  # workflows of a list


@dataclass(frozen=True)
class OpenHistories:
    """A handler that records, and questions about what it recorded."""

    open: OpenStore
    handler: CommandHandler
    records: PostgresRecords
    histories: Histories

    def record(self, *commands: Command) -> list[Outcome]:
        """The outcomes of commands, each in a batch of its own."""
        return [self.handler.handle([Submission(each, ORIGIN)])[0] for each in commands]

    def position(self, command: Command) -> int:
        """The position at which a command that must succeed ended."""
        [done] = self.record(command)
        assert isinstance(done, Done), done
        return done.position

    def ask(self, question: Question) -> Answer:
        """The answer to a question. Raises what it is refused with."""
        [answer] = self.histories.answer([question])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def state(self, workflow_id: str, version: int) -> State:
        """The state of a workflow at a version."""
        return self.records.ask(lambda record: state_at(record, Version(workflow_id, version)))


@contextmanager
def open_histories(dsn: str, logs: Logs | None = None) -> Iterator[OpenHistories]:
    """Histories on a session of their own, as a server process has them."""
    horizon = Horizon()
    session = Session(dsn, greet=configure_histories)
    records = PostgresRecords(session)
    histories = Histories(records, b"secret", lambda: horizon.feed, DIGESTS, PAGE, FolderLogs(logs))
    with open_store(dsn) as opened:
        try:
            yield OpenHistories(opened, CommandHandler(opened.store, DIGESTS), records, histories)
        finally:
            session.close()
