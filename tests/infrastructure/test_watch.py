"""What those who run the service read of its database: one line each time it changes."""

import pytest
import structlog

from application.handler import CommandHandler
from application.ports import Change
from infrastructure.postgres.sqlstates import CONNECTION, READ_ONLY, TOO_SLOW
from infrastructure.postgres.watch import DatabaseWatch
from infrastructure.telemetry.events import LoggedEvents
from infrastructure.telemetry.observer import InertObserver
from tests.application.conftest import handle
from tests.support.given import ID, create, increment
from tests.support.stores import DIGESTS, open_store


class Listener(InertObserver):
    """Counts lost sessions."""

    lost = 0

    def session_closed(self, *, lost: bool) -> None:
        """See Observer."""
        self.lost += lost


def test_a_database_is_lost_and_back_in_one_line_each() -> None:
    with structlog.testing.capture_logs() as lines:
        watch = DatabaseWatch(events=LoggedEvents())
        watch.well()
        for trouble in (CONNECTION, CONNECTION, READ_ONLY):
            watch.refused(trouble.refusal(OSError("gone\nand more")))
        watch.well()
        watch.well()
    assert [(line["event"], line.get("why")) for line in lines] == [
        ("database lost", "no connection: gone"),
        ("database back", None),
    ]


@pytest.mark.parametrize("times", [1, 50])
def test_a_busy_database_is_no_lost_one_and_is_logged_seldom(times: int) -> None:
    with structlog.testing.capture_logs() as lines:
        watch = DatabaseWatch(events=LoggedEvents())
        for _ in range(times):
            watch.refused(TOO_SLOW.refusal(OSError("lock timeout")))
    assert [line["event"] for line in lines] == ["database busy"]


def test_an_observer_hears_of_every_lost_session() -> None:
    listener = Listener()
    watch = DatabaseWatch(listener)
    watch.closed(lost=True)
    watch.closed(lost=False)
    watch.closed(lost=True)
    assert listener.lost == 2


def test_the_store_tells_its_observer_what_it_does(database: str) -> None:
    heard: list[tuple[object, ...]] = []

    class Store(InertObserver):
        def appended(self, events: int, seconds: float) -> None:
            heard.append(("appended", events, 0 <= seconds < 60))

        def conflicted(self, changes: int) -> None:
            heard.append(("conflicted", changes))

    with open_store(database, Store()) as store, open_store(database) as rival:
        handle(CommandHandler(store.store, DIGESTS), create(), increment())
        stale = store.store.load([ID], [])
        handle(CommandHandler(rival.store, DIGESTS), increment())
        change = Change(ID, stale.streams[ID], stale.streams[ID].state(ID))
        assert store.store.append([change]) == {}
    assert heard == [("appended", 2, True), ("conflicted", 1)]
