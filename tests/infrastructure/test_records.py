"""Reading the past from PostgreSQL: any version is the fold of what came before it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.commands import Command
from domain.workflow import replay
from tests.support.database import execute
from tests.support.given import (
    ID,
    OTHER_ID,
    build_status,
    create,
    increment,
    reset_failures,
    terminate,
    update,
)
from tests.support.histories import OpenHistories, open_histories

# Each names the one of two workflows to which it happens.
_IDS = st.sampled_from([ID, OTHER_ID])
_COMMANDS = st.lists(
    st.one_of(
        st.builds(update, id=_IDS, interval=st.integers(5, 7)),
        st.builds(build_status, st.sampled_from(["pending", "building"]), id=_IDS),
        st.builds(increment, id=_IDS, terminate_at_threshold=st.booleans()),
        st.builds(reset_failures, id=_IDS),
        st.builds(terminate, id=_IDS),
    ),
    max_size=30,
)


@contextmanager
def emptied(database: str) -> Iterator[OpenHistories]:
    """An empty record, by another process than the one before: that has seen later positions."""
    execute(database, "TRUNCATE workflow_events, workflows, command_ledger")
    with open_histories(database) as opened:
        yield opened


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_COMMANDS)
def test_every_version_is_the_fold_of_its_prefix(
    database: str, commands: Sequence[Command]
) -> None:
    with emptied(database) as past:
        past.record(create(id=ID), create(id=OTHER_ID), *commands)
        check_every_version(past)


def check_every_version(past: OpenHistories) -> None:
    for workflow_id in (ID, OTHER_ID):
        history = past.open.history(workflow_id)
        positions = past.open.positions(workflow_id)
        assert history
        for version in range(1, len(history) + 1):
            assert past.state(workflow_id, version) == replay(history[:version])
            at = past.records.ask(
                lambda record: record.versions_at([ID, OTHER_ID], positions[version - 1])  # noqa: B023 - asked at once
            )
            assert at[workflow_id] == version
