"""Answers searches for events: a page of entries, in the order of positions, and a cursor."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

from application.access import Caller, Role
from application.history.entries import Entry, entries, fitting
from application.history.proofs import SignedLogs
from application.history.questions import DEFAULT_PAGE_SIZE, page_size
from application.ports import (
    Feed,
    Place,
    Record,
    RecordedEvent,
    Records,
    StoreUnavailable,
    Version,
)
from application.queries import MAX_PAGE_BYTES
from application.seals import Form, Seals
from application.search import Criteria, EventSearch
from domain.errors import InvalidFields
from domain.fields import Check, optional_text, violations, workflow_id

SEARCH_FORM = Form(
    1,
    "does not belong to this search; the cursor of the page before, with the same filter and order,"
    " is accepted",
)
"""Holds the position at which the page ended."""

MAX_ACTOR = 1024  # characters: issuer, subject and token


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """Asks for a page of events that match.

    `own` means that the caller may see events of the named user only.
    """

    criteria: Criteria
    newest_first: bool
    size: int
    cursor: str
    own: bool = False

    @classmethod
    def checked(
        cls,
        criteria: Criteria,
        refused: Sequence[Check],
        *,
        newest_first: bool,
        size: int,
        cursor: str,
    ) -> "SearchRequest":
        """Raises InvalidFields, which names every bad field; `refused` are complaints of before."""
        found = violations(
            [
                *_checks(criteria),
                *refused,
                ("page_size", page_size(size)),
                ("cursor", SEARCH_FORM.complaint(cursor)),
            ]
        )
        if found:
            raise InvalidFields(found)
        return cls(criteria, newest_first, size or DEFAULT_PAGE_SIZE, cursor)

    def by(self, caller: Caller) -> "SearchRequest":
        """The request as a caller may ask it."""
        return replace(self, own=Role.AUDITOR not in caller.roles)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Part of what was found; the cursor is empty on the last page.

    `emptied_by` names the filters each of which alone excludes everything that the others leave;
    it is empty if anything was found. `checkpoint_size` is that of the newest signed checkpoint.
    """

    entries: Sequence[Entry]
    cursor: str
    place: Place
    emptied_by: Sequence[str]
    checkpoint_size: int


class Searches:
    """Answers searches. For one thread."""

    def __init__(
        self,
        search: EventSearch,
        records: Records,
        secret: bytes,
        current_feed: Callable[[], Feed],
        logs: SignedLogs,
    ) -> None:
        """`secret` seals cursors."""
        self._search = search
        self._records = records
        self._logs = logs
        self._seals = Seals(SEARCH_FORM, secret, current_feed)

    def answer(self, batch: Sequence[SearchRequest]) -> Iterator[SearchPage | Exception]:
        """A page or a refusal for each request, in order. Raises StoreUnavailable."""
        for asked in batch:
            try:
                yield self._page(asked)
            except StoreUnavailable:
                raise
            except Exception as refusal:  # noqa: BLE001 - it is the outcome of this request
                yield refusal

    def _page(self, asked: SearchRequest) -> SearchPage:
        question = _question(asked)
        beyond = None
        if asked.cursor:
            [beyond] = self._seals.read(asked.cursor, question)
        place = self._search.place()
        found = self._search.find(
            asked.criteria, beyond=beyond, limit=asked.size, newest_first=asked.newest_first
        )
        made = self._records.ask(lambda record: _entries(record, found.versions))
        following = found.following
        if len(made) < len(found.versions):
            following = made[-1].event.position
        cursor = "" if following is None else self._seals.write(question, following)
        nothing = not (made or asked.cursor or cursor)
        emptied_by = list(self._emptied_by(asked)) if nothing else ()
        return SearchPage(made, cursor, place, emptied_by, self._logs.size(place.feed))

    def _emptied_by(self, asked: SearchRequest) -> Iterator[str]:
        """The filters without which something would be found."""
        unset = Criteria()
        for name in (field.name for field in fields(Criteria)):
            default = getattr(unset, name)
            hidden = asked.own and name == "user_id"  # It would tell of other users' events.
            if hidden or getattr(asked.criteria, name) == default:
                continue
            others: Criteria = replace(asked.criteria, **{name: default})
            if self._search.find(others, beyond=None, limit=1, newest_first=True).versions:
                yield name


def _checks(criteria: Criteria) -> list[Check]:
    text = ("user_id", "request_id", "trace_id", "idempotency_key", "job_id")
    named = [(f"filter.{name}", optional_text(getattr(criteria, name))) for name in text]
    if len(criteria.actor) > MAX_ACTOR:
        named.append(("filter.actor", f"is too long; at most {MAX_ACTOR} characters are accepted"))
    if criteria.workflow_id:
        named.append(("filter.workflow_id", workflow_id(criteria.workflow_id)))
    if criteria.since and criteria.until and criteria.until <= criteria.since:
        named.append(("filter.until", "is not after filter.since; a later time is accepted"))
    return named


def _question(asked: SearchRequest) -> str:
    """All that must be the same on each page of a search."""
    values = [getattr(asked.criteria, field.name) for field in fields(Criteria)]
    parts = [",".join(sorted(v)) if isinstance(v, frozenset) else str(v or "") for v in values]
    return "\0".join(["search", str(asked.newest_first), str(asked.own), *parts])


def _entries(record: Record, versions: Sequence[Version]) -> Sequence[Entry]:
    """The entries of the first events, as many as fit into one answer."""
    if not versions:
        return []
    return fitting(entries(record, list(_readable(record.events(versions)))))


def _readable(events: Iterator[RecordedEvent]) -> Iterator[RecordedEvent]:
    """The first events whose content together fits into one answer; at least one."""
    room = MAX_PAGE_BYTES
    for event in events:
        yield event
        room -= len(getattr(event.event, "payload", "").encode())
        if room < 0:
            return
