"""Followers: every event once, in order, in one process, whatever breaks."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.draft import Submission
from application.followers import (
    FollowerPlace,
    FollowerRefused,
    FollowerState,
    goes_on,
    stays_in_its_epoch,
)
from application.handler import CommandHandler
from application.ports import Feed, FeedEnd, Origin
from infrastructure.eventstore.horizon import begin_epoch
from infrastructure.followers.places import follower_states
from infrastructure.postgres.connection import connect
from tests.support.database import execute, select, value
from tests.support.followers import Copying, Remembering, prepare, run
from tests.support.given import create
from tests.support.stores import DIGESTS, OpenStore, open_store
from tests.support.waiting import until

ORIGIN = Origin("gateway", "req", "trace")
EPOCH, LATER_EPOCH = Feed(1), Feed(2)
_BACKENDS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 5005202)
"""


@pytest.fixture
def store(database: str) -> Iterator[OpenStore]:
    prepare(database)
    with open_store(database) as opened:
        yield opened


def write(store: OpenStore, count: int) -> None:
    """Records so many further events."""
    ids = [str(value(store.dsn, "SELECT gen_random_uuid()")) for _ in range(count)]
    batch = [Submission(create(id=workflow_id), ORIGIN) for workflow_id in ids]
    CommandHandler(store.store, DIGESTS).handle(batch)


def handled(dsn: str) -> list[int]:
    return [position for (position,) in select(dsn, "SELECT position FROM handled ORDER BY 1")]


def state(dsn: str) -> FollowerState:
    with closing(connect(dsn)) as connection:
        [found] = follower_states(connection)
        return found


def failures(dsn: str) -> int:
    """How often the follower failed in a row; 0 before its first try."""
    return int(value(dsn, "SELECT coalesce(max(failures), 0) FROM followers"))


def has_handled(dsn: str, count: int) -> bool:
    return handled(dsn) == list(range(1, count + 1))


def test_it_handles_what_is_there_and_what_comes(store: OpenStore) -> None:
    write(store, 3)
    with run(store.dsn, Copying()):
        until(lambda: has_handled(store.dsn, 3))
        write(store, 2)
        until(lambda: has_handled(store.dsn, 5))
        found = state(store.dsn)
    assert (found.place, found.behind) == (FollowerPlace(store.store.current_feed, 5), 0)
    assert found.running
    assert not state(store.dsn).running


def test_it_goes_on_where_it_was(store: OpenStore) -> None:
    write(store, 2)
    with run(store.dsn, Copying("one")):
        until(lambda: has_handled(store.dsn, 2))
    write(store, 2)
    assert state(store.dsn).behind == 2
    with run(store.dsn, Copying("other")):
        until(lambda: has_handled(store.dsn, 4))
    by = select(store.dsn, "SELECT by FROM handled ORDER BY position")
    assert by == [("one",), ("one",), ("other",), ("other",)]


def test_of_two_processes_one_runs_it_and_the_other_takes_over(store: OpenStore) -> None:
    write(store, 1)
    with run(store.dsn, Copying("other")) as other:
        until(lambda: has_handled(store.dsn, 1))
        with run(store.dsn, Copying("one")):
            write(store, 1)
            until(lambda: has_handled(store.dsn, 2))
            other.stop(10)
            write(store, 1)
            until(lambda: has_handled(store.dsn, 3))
    by = select(store.dsn, "SELECT by FROM handled ORDER BY position")
    assert by == [("other",), ("other",), ("one",)]


def test_it_survives_the_loss_of_its_connection(store: OpenStore) -> None:
    with run(store.dsn, Copying()):
        for count in (2, 4, 6):
            write(store, 2)
            until(lambda count=count: has_handled(store.dsn, count))  # type: ignore[misc]
            assert select(store.dsn, _BACKENDS) == [(True,)]
        write(store, 1)
        until(lambda: has_handled(store.dsn, 7))


def test_a_failed_batch_leaves_nothing_behind_and_is_given_again(store: OpenStore) -> None:
    follower = Copying(fault=ValueError("disk full"))
    write(store, 3)
    with run(store.dsn, follower):
        until(lambda: failures(store.dsn) >= 2)
        assert handled(store.dsn) == []
        assert state(store.dsn).fault == "ValueError: disk full"
        follower.fault = None
        until(lambda: has_handled(store.dsn, 3))
        until(lambda: failures(store.dsn) == 0)
        assert state(store.dsn).fault == "ValueError: disk full"


def test_a_follower_stored_elsewhere_is_given_again_what_it_may_have_handled(
    store: OpenStore,
) -> None:
    follower = Remembering(faults=[OSError("gone")])
    write(store, 3)
    with run(store.dsn, follower):
        until(lambda: failures(store.dsn) == 0 and follower.positions[3:] == [1, 2, 3])
        until(lambda: state(store.dsn).behind == 0)
        assert follower.positions == [1, 2, 3, 1, 2, 3]


def test_a_missing_position_stops_it_and_is_named(store: OpenStore) -> None:
    write(store, 4)
    execute(store.dsn, "DELETE FROM workflow_events WHERE notification_id = 3")
    with run(store.dsn, Copying()):
        until(lambda: failures(store.dsn) >= 4)
        assert "no event at position 3," in state(store.dsn).fault
        assert handled(store.dsn) in ([], [1, 2])  # What stands before it may be handled.


def test_in_a_new_epoch_it_goes_on(store: OpenStore) -> None:
    write(store, 2)
    with run(store.dsn, Copying()):
        until(lambda: has_handled(store.dsn, 2))
        with closing(connect(store.dsn)) as connection:
            later = begin_epoch(connection)
        write(store, 1)
        until(lambda: state(store.dsn).place == FollowerPlace(later, 3))
    assert has_handled(store.dsn, 3)


def test_when_its_place_is_set_back_it_begins_there_again(store: OpenStore) -> None:
    write(store, 2)
    with run(store.dsn, Copying()):
        until(lambda: has_handled(store.dsn, 2))
        execute(store.dsn, "DELETE FROM handled; UPDATE followers SET position = 0")
        write(store, 1)
        until(lambda: has_handled(store.dsn, 3))


@pytest.mark.parametrize("begin", [goes_on, stays_in_its_epoch])
def test_a_follower_that_never_ran_begins_at_the_beginning(begin: object) -> None:
    assert callable(begin)
    assert begin(None, FeedEnd(EPOCH, 7)) == 0


def test_what_is_stored_with_the_events_is_restored_with_them() -> None:
    assert goes_on(FollowerPlace(EPOCH, 5), FeedEnd(LATER_EPOCH, 7)) == 5
    with pytest.raises(FollowerRefused, match="up to 8, and the feed ends at 7"):
        goes_on(FollowerPlace(EPOCH, 8), FeedEnd(LATER_EPOCH, 7))


def test_what_is_stored_elsewhere_stays_in_its_epoch() -> None:
    assert stays_in_its_epoch(FollowerPlace(EPOCH, 5), FeedEnd(EPOCH, 7)) == 5
    with pytest.raises(FollowerRefused, match="restored or replaced"):
        stays_in_its_epoch(FollowerPlace(EPOCH, 5), FeedEnd(LATER_EPOCH, 7))


class _Chaos:
    """What can happen to a follower, by name."""

    NAMES = ("write", "kill its connection", "fail once", "change over")


@settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(st.sampled_from(_Chaos.NAMES), min_size=4, max_size=12))
def test_whatever_happens_every_event_is_handled_once(
    store: OpenStore, happenings: list[str]
) -> None:
    before = len(handled(store.dsn))
    written = int(value(store.dsn, "SELECT count(*) FROM workflow_events"))
    assert before == written
    follower = Copying()
    with run(store.dsn, follower) as one, run(store.dsn, Copying("other")):
        for happening in happenings:
            match happening:
                case "write":
                    write(store, 2)
                    written += 2
                case "kill its connection":
                    select(store.dsn, _BACKENDS)
                case "fail once":
                    follower.fault = None if follower.fault else ValueError("now and then")
                case "change over":
                    one.stop(0)
        follower.fault = None
        until(lambda: has_handled(store.dsn, written))
