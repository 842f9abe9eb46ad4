"""Searching events: whatever is asked, exactly the events that match are found, in order."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.draft import Submission
from application.erasure import EraseUser
from application.handler import CommandHandler
from application.ports import EventMetadata, Forgotten, Origin, RecordedEvent, Version
from application.search import Criteria
from application.searches import Searches, SearchPage, SearchRequest
from domain.commands import Command
from domain.diffs import changes
from domain.errors import InvalidFields
from domain.workflow import Workflow, evolve
from infrastructure.eventstore import records
from infrastructure.eventstore.erasure import PostgresErasures
from infrastructure.eventstore.records import PostgresRecords, configure_histories
from infrastructure.followers import runner
from infrastructure.postgres.connection import connect
from infrastructure.postgres.session import Session
from infrastructure.proof.signed import FolderLogs
from infrastructure.search import finding, follower
from infrastructure.search.follower import SearchFollower, begin_search_again
from infrastructure.search.search import PostgresSearch
from tests.support.command_line import answer
from tests.support.database import execute, select, value
from tests.support.followers import run
from tests.support.given import (
    NOW,
    build_status,
    create,
    delete,
    increment,
    reset_failures,
    terminate,
    update,
)
from tests.support.stores import DIGESTS, OpenStore, open_store
from tests.support.waiting import until

IDS = [f"0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e{n:02x}" for n in range(3)]
OWNERS = dict(zip(IDS, ["alice", "alice", "bob"], strict=True))
ORIGINS = [
    Origin("https://id|gateway#token 1", "client:r-1", "t-1", "alice", "UpdateWorkflow"),
    Origin("https://id|gateway#token 2", "r-1", "", "", "UpdateWorkflow"),
    Origin("https://id|gateway", "r-2", "t-2", "", "UpdateWorkflow"),
    Origin("anonymous", "r-3"),
]
TYPES = ("created", "updated", "build_status_changed", "failure_incremented", "reset", "terminated")
FIELDS = ("name", "payload", "interval", "failures", "terminated_at", "generation", "updated_at")
MINUTES = [NOW + timedelta(minutes=n) for n in range(-3, 6)]

_ids = st.sampled_from(IDS)
_commands = st.one_of(
    st.builds(
        lambda named, interval: update(id=named, user_id=OWNERS[named], interval=interval),
        _ids,
        st.integers(5, 7),
    ),
    st.builds(build_status, st.sampled_from(["pending", "building"]), id=_ids),
    st.builds(increment, id=_ids, job_id=st.sampled_from(["", "j-1", "j-2"])),
    st.builds(reset_failures, id=_ids),
    _ids.map(lambda each: terminate(id=each, user_id=OWNERS[each])),
)
_steps = st.lists(st.tuples(_commands, st.sampled_from(ORIGINS)), max_size=15)
_some = st.sampled_from
_criteria = st.builds(
    Criteria,
    user_id=_some(["", "", "alice", "bob", "carol"]),
    workflow_id=_some(["", "", *IDS]),
    types=st.one_of(st.just(frozenset()), st.frozensets(_some(TYPES), max_size=3)),
    actor=_some(["", "", "https://id|gateway", "https://id|gateway#token 1", "anonymous"]),
    changed_field=_some(["", "", *FIELDS]),
    request_id=_some(["", "", "", "r-1", "client:r-1", "r-3"]),
    trace_id=_some(["", "", "", "t-1"]),
    idempotency_key=_some(["", "", "", "k-1", "k-9"]),
    job_id=_some(["", "", "", "j-1"]),
    since=st.one_of(st.none(), _some(MINUTES)),
    until=st.one_of(st.none(), _some(MINUTES)),
).filter(lambda each: not (each.since and each.until) or each.since < each.until)


@dataclass
class Subject:
    """A store whose clock is set, and searches in what it recorded."""

    store: OpenStore
    handler: CommandHandler
    searches: Searches
    records: PostgresRecords
    time: datetime = NOW

    def record(self, command: Command, origin: Origin = ORIGINS[0], minutes: int = 0) -> None:
        self.time = NOW + timedelta(minutes=minutes)
        self.handler.handle([Submission(command, origin)])

    def follow(self) -> None:
        """Lets the follower come to the end of the feed."""
        with run(self.store.dsn, SearchFollower(DIGESTS)):
            until(lambda: value(self.store.dsn, _BEHIND) == 0)

    def position_at(self, time: datetime) -> int:
        """As the record finds it."""
        return self.records.ask(lambda record: record.position_at(time))

    def page(
        self,
        criteria: Criteria,
        *,
        newest_first: bool = True,
        size: int = 0,
        cursor: str = "",
        own: bool = False,
    ) -> SearchPage:
        asked = SearchRequest.checked(
            criteria, [], newest_first=newest_first, size=size, cursor=cursor
        )
        [answer] = self.searches.answer([replace(asked, own=own)])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def all(self, criteria: Criteria, size: int, *, newest_first: bool) -> list[Version]:
        """What all pages show, one after the other."""
        found: list[Version] = []
        cursor = ""
        for _ in range(1000):
            page = self.page(criteria, newest_first=newest_first, size=size, cursor=cursor)
            assert len(page.entries) <= size
            found += [Version(e.event.workflow_id, e.event.version) for e in page.entries]
            if not (cursor := page.cursor):
                return found
        raise AssertionError("the pages do not end")


_BEHIND = """
    SELECT (SELECT coalesce(max(notification_id), 0) FROM workflow_events)
         - coalesce((SELECT position FROM followers WHERE name = 'search'), -1)
"""


@pytest.fixture
def subject(database: str) -> Iterator[Subject]:
    session = Session(database, greet=configure_histories)
    search = PostgresSearch(session, DIGESTS)
    with closing(session), open_store(database, clock=lambda: opened.time) as store:
        found = PostgresRecords(session)
        searches = Searches(
            search, found, b"secret", lambda: store.store.current_feed, FolderLogs(None)
        )
        opened = Subject(store, CommandHandler(store.store, DIGESTS), searches, found)
        yield opened


def matching(store: OpenStore, criteria: Criteria) -> Sequence[Version]:
    """What must be found, oldest first: each event is compared with each criterion."""
    found: list[tuple[int, Version]] = []
    for workflow_id in IDS:
        state: Workflow | None = None
        for recorded in store.log.history(workflow_id):
            before, state = state, evolve(state, recorded.event)  # type: ignore[arg-type] # nothing is erased
            if _matches(recorded, before, state, criteria):
                found.append((recorded.position, Version(workflow_id, recorded.version)))
    return [version for _, version in sorted(found)]


def beginning(store: OpenStore, time: datetime) -> int:
    """The end of the longest beginning of the feed without an event recorded later than this."""
    recorded = [event for each in IDS for event in store.log.history(each)]
    later = [event.position for event in recorded if event.recorded_at > time]
    return min(later, default=len(recorded) + 1) - 1


def _matches(
    recorded: RecordedEvent, before: Workflow | None, after: Workflow, criteria: Criteria
) -> bool:
    metadata, event = recorded.metadata, recorded.event
    assert isinstance(metadata, EventMetadata)
    assert not isinstance(event, Forgotten)
    origin = metadata.origin
    changed = [change.field for change in changes(before, after)] + ["updated_at"]
    return (
        criteria.user_id in ("", after.user_id)
        and criteria.workflow_id in ("", recorded.workflow_id)
        and (not criteria.types or recorded.type in criteria.types)
        and criteria.actor in ("", origin.actor, origin.actor.split("#")[0])
        and (not criteria.changed_field or criteria.changed_field in changed)
        and criteria.request_id
        in ("", origin.request_id, origin.request_id.removeprefix("client:"))
        and criteria.trace_id in ("", origin.trace_id)
        and criteria.idempotency_key in ("", metadata.idempotency_key)
        and criteria.job_id in ("", getattr(event, "job_id", ""))
        and (criteria.since is None or recorded.recorded_at >= criteria.since)
        and (criteria.until is None or recorded.recorded_at < criteria.until)
    )


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=_steps,
    clock=st.lists(st.integers(-2, 4), min_size=20, max_size=20),
    questions=st.lists(_criteria, min_size=6, max_size=6),
    size=st.integers(1, 5),
    walked=st.sampled_from([2, 5, 20_000]),
    batch=st.sampled_from([2, 1000]),
)
def test_pages_show_exactly_what_matches(
    subject: Subject,
    steps: list[tuple[Command, Origin]],
    clock: list[int],
    questions: list[Criteria],
    size: int,
    walked: int,
    batch: int,
) -> None:
    dsn = subject.store.dsn
    execute(dsn, "TRUNCATE workflow_events, workflows, command_ledger")
    execute(dsn, "TRUNCATE followers, event_search, feed_times")
    ticks = iter(clock)
    for number, workflow_id in enumerate(IDS):
        key = f"k-{number}"
        new = create(id=workflow_id, user_id=OWNERS[workflow_id], idempotency_key=key)
        subject.record(new, ORIGINS[number], next(ticks))
    for command, origin in steps:
        subject.record(command, origin, next(ticks))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "LIMIT", batch)
        patch.setattr(follower, "SPACING", 2 * batch)
        subject.follow()
        patch.setattr(records, "SCANNED", 3 * batch)
        patch.setattr(records, "TIME_WITHIN", -1)  # It must be found in one look at the feed.
        for time in MINUTES:
            assert subject.position_at(time) == beginning(subject.store, time)
        patch.setattr(finding, "WALKED", walked)
        for criteria in questions:
            expected = matching(subject.store, criteria)
            assert subject.all(criteria, size, newest_first=False) == expected
            assert subject.all(criteria, size, newest_first=True) == list(reversed(expected))


def filled(subject: Subject) -> None:
    """Two workflows of alice, one of which fails twice; one of bob, updated and deleted."""
    for number, workflow_id in enumerate(IDS):
        new = create(id=workflow_id, user_id=OWNERS[workflow_id])
        subject.record(new, ORIGINS[number], number)
    subject.record(increment(id=IDS[0], job_id="j-1"))
    subject.record(increment(id=IDS[0], job_id="j-2"))
    subject.record(update(id=IDS[2], user_id="bob", interval=7), ORIGINS[3])
    subject.record(delete(id=IDS[2], user_id="bob"), ORIGINS[3])
    subject.follow()


def test_what_was_found_is_shown_with_its_changes_and_its_cause(subject: Subject) -> None:
    filled(subject)
    page = subject.page(Criteria(user_id="bob", types=frozenset({"updated"})))
    [entry] = page.entries
    assert {c.field: (c.before, c.after) for c in entry.changes}["interval"] == (5, 7)
    assert isinstance(entry.event.metadata, EventMetadata)
    assert entry.event.metadata.origin == ORIGINS[3]
    assert page.place == (7, subject.store.store.current_feed)


def test_it_is_true_as_far_as_the_follower_has_come(subject: Subject) -> None:
    filled(subject)
    subject.record(increment(id=IDS[1], job_id="j-3"))
    page = subject.page(Criteria(job_id="j-3"))
    assert (page.entries, page.place.position) == ([], 7)
    subject.follow()
    assert subject.page(Criteria(job_id="j-3")).place.position == 8


@pytest.mark.parametrize(
    ("criteria", "emptied_by"),
    [
        (Criteria(user_id="alice", types=frozenset({"deleted"})), ["user_id", "types"]),
        (Criteria(user_id="carol", types=frozenset({"deleted"})), ["user_id"]),
        (Criteria(user_id="carol", job_id="nothing"), []),
        (Criteria(user_id="alice", since=MINUTES[-1]), ["since"]),
        (Criteria(user_id="alice", types=frozenset({"created"})), []),
    ],
)
def test_an_empty_answer_names_the_filters_that_emptied_it(
    subject: Subject, criteria: Criteria, emptied_by: list[str]
) -> None:
    filled(subject)
    assert list(subject.page(criteria).emptied_by) == emptied_by


def test_who_may_see_own_events_only_does_not_learn_of_others(subject: Subject) -> None:
    filled(subject)
    deleted = Criteria(user_id="alice", types=frozenset({"deleted"}))
    assert list(subject.page(deleted, own=True).emptied_by) == ["types"]


def test_a_cursor_belongs_to_its_search(subject: Subject) -> None:
    filled(subject)
    cursor = subject.page(Criteria(user_id="alice"), size=1).cursor
    for other in ({"newest_first": False}, {"own": True}):
        with pytest.raises(InvalidFields, match="does not belong to this search"):
            subject.page(Criteria(user_id="alice"), cursor=cursor, **other)
    with pytest.raises(InvalidFields, match="does not belong to this search"):
        subject.page(Criteria(user_id="bob"), cursor=cursor)


def test_no_idempotency_key_stands_in_the_table(subject: Subject) -> None:
    subject.record(create(id=IDS[0], idempotency_key="a secret key"))
    subject.follow()
    [(text,)] = select(subject.store.dsn, "SELECT event_search::text FROM event_search")
    assert "secret" not in text
    assert len(subject.page(Criteria(idempotency_key="a secret key")).entries) == 1


def test_forgotten_workflows_leave_the_table_and_stay_away(subject: Subject) -> None:
    filled(subject)
    dsn = subject.store.dsn
    erasures, receipt_id = PostgresErasures(dsn), str(uuid4())
    erasures.begin(receipt_id, EraseUser("bob", "asked for it", "GDPR Art. 17(1)(a)"), "admin")
    assert erasures.forget(receipt_id).search_entries == 3
    assert subject.page(Criteria(user_id="bob")).entries == []
    with closing(connect(dsn)) as connection:
        begin_search_again(connection)
    subject.follow()
    assert subject.page(Criteria(user_id="bob")).entries == []
    assert len(subject.page(Criteria(user_id="alice")).entries) == 4


def test_the_table_can_be_emptied_and_filled_again(subject: Subject) -> None:
    filled(subject)
    dsn = subject.store.dsn
    whole = "SELECT * FROM event_search JOIN feed_times ON true ORDER BY 1"
    before = select(dsn, whole)
    assert answer("rebuild", "--search", "--database-url", dsn, "--json") == {"emptied": 7}
    assert value(dsn, "SELECT count(*) FROM event_search") == 0
    assert value(dsn, "SELECT count(*) FROM feed_times") == 1, "moments are found meanwhile"
    subject.follow()
    assert select(dsn, whole) == before


def test_times_of_positions_grow_whatever_the_clocks_say(subject: Subject) -> None:
    for number, (workflow_id, minute) in enumerate(zip(IDS, (3, 1, 4), strict=True)):
        subject.record(create(id=workflow_id, idempotency_key=str(number)), minutes=minute)
        subject.follow()
    times = select(subject.store.dsn, "SELECT * FROM feed_times ORDER BY position")
    minutes = [(p, (t - NOW).seconds // 60, (e - NOW).seconds // 60) for p, t, e in times]
    assert minutes == [(3, 4, 1)], "one row, since they are close to each other"
