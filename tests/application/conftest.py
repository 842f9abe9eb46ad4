"""A handler on a store in memory whose calls are counted and can be meddled with."""

import pytest

from application.draft import Outcome, Submission
from application.handler import CommandHandler
from application.ports import Origin
from domain.commands import Command
from tests.support.memory import MemoryEventStore, Troubled
from tests.support.stores import DIGESTS

ORIGIN = Origin("gateway", "req", "trace")
THIRD_ID = "0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e71"


@pytest.fixture
def memory() -> MemoryEventStore:
    """What is recorded."""
    return MemoryEventStore()


@pytest.fixture
def watched(memory: MemoryEventStore) -> Troubled:
    """The store as the handler reaches it."""
    return Troubled(memory)


@pytest.fixture
def handler(watched: Troubled) -> CommandHandler:
    """The handler."""
    return CommandHandler(watched, DIGESTS)


def handle(handler: CommandHandler, *commands: Command) -> list[Outcome]:
    """The outcomes of commands that came in one batch."""
    return handler.handle([Submission(command, ORIGIN) for command in commands])
