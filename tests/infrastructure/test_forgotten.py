"""Events whose content was set to NULL: the chain holds; only their workflow is lost."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from application.draft import Done
from application.handler import CommandHandler
from application.ports import Forgotten
from domain.commands import Command
from domain.errors import WorkflowNotFound
from domain.filters import Filters
from infrastructure.postgres.session import Session
from infrastructure.readmodel.views import PostgresViews
from tests.application.conftest import handle
from tests.support.database import execute, value
from tests.support.given import (
    ANYBODY,
    ID,
    OTHER_ID,
    OWNER,
    build_status,
    create,
    delete,
    increment,
    reset_failures,
    terminate,
    update,
)
from tests.support.stores import DIGESTS, OpenStore, open_store

EVERY_COMMAND = [
    update(),
    update(idempotency_key="before"),
    build_status("building"),
    increment(),
    increment(job_id="before", user_id=ANYBODY),
    reset_failures(),
    terminate(),
    delete(),
]


@pytest.fixture
def store(database: str) -> Iterator[OpenStore]:
    """A store in which the creation of one of two workflows is forgotten."""
    with open_store(database) as opened:
        handle(
            CommandHandler(opened.store, DIGESTS),
            create(),
            create(id=OTHER_ID),
            update(name="hourly", idempotency_key="before"),
            increment(job_id="before"),
        )
        opened.forget(ID, 1)
        yield opened


def test_the_history_says_forgotten_and_still_verifies(store: OpenStore) -> None:
    before, *others = store.log.history(ID)
    assert isinstance(before.event, Forgotten)
    assert isinstance(before.metadata, Forgotten)
    assert [event.version for event in others] == [2, 3]
    assert not [event for event in others if isinstance(event.event, Forgotten)]


@pytest.mark.parametrize("command", EVERY_COMMAND, ids=lambda command: type(command).__name__)
def test_every_command_is_refused_as_if_there_were_no_workflow(
    store: OpenStore, command: Command
) -> None:
    (outcome,) = handle(CommandHandler(store.store, DIGESTS), command)
    assert isinstance(outcome, WorkflowNotFound)


def test_neighbours_in_a_batch_are_unharmed(store: OpenStore) -> None:
    refused, done = handle(
        CommandHandler(store.store, DIGESTS), increment(), increment(id=OTHER_ID)
    )
    assert isinstance(refused, WorkflowNotFound)
    assert isinstance(done, Done)


def test_it_cannot_be_read_and_is_in_no_list(store: OpenStore) -> None:
    with closing(Session(store.dsn)) as session:
        views = PostgresViews(session, store.store)
        assert views.get([ID, OTHER_ID]).keys() == {OTHER_ID}
        listed = views.page(OWNER, Filters(), None, 10, 10_000)
    assert [workflow.id for workflow in listed.workflows] == [OTHER_ID]


@pytest.mark.parametrize("version", [2, 3])
def test_any_event_that_is_forgotten_takes_the_state_with_it(
    store: OpenStore, version: int
) -> None:
    store.forget(ID, version)
    assert isinstance(store.store.load([ID], []).streams[ID].workflow, Forgotten)
    assert value(store.dsn, "SELECT count(*) FROM workflows WHERE id = %s", ID) == 0


def test_half_of_an_event_cannot_be_forgotten(store: OpenStore) -> None:
    with pytest.raises(Exception, match="workflow_events_forgotten_whole"):
        execute(store.dsn, "UPDATE workflow_events SET salt = NULL")
