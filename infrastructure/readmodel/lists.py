"""The SQL of lists: the rows of a page, and the limit of a search.

SQL cuts a page by count and bytes, so that only payloads that the page shows are read.

A search by a part of the name first looks at the newest workflows of the user. Most searches end
there, because the part is common or the user has no more workflows. If the part is rare, the index
of trigrams finds it. A part of one or two characters has no trigram: if the user has more workflows
than a walk can read, the search is refused.
"""

from collections.abc import Mapping
from typing import Any

from application.ports import OTHER_BYTES, ListedWorkflow
from domain.filters import Filters, folded
from infrastructure.readmodel.rows import COLUMN_OF, USABLE

WALKED = 5_000
"""How many workflows a search reads before it uses the index of trigrams."""
WALKED_WITHOUT_INDEX = 100_000
"""How many workflows a search reads if no index can help: takes well below 100 ms."""
TRIGRAM = 3  # characters

_CLAUSES = {
    "before": "created_position < %(before)s",
    "since": "created_position >= %(since)s",
    "query": "name_folded LIKE %(query)s",
    "kind": "kind = %(kind)s",
    "build_status": "build_status = %(build_status)s",
    "is_terminated": "terminated_at IS NOT NULL",
    "interval_min": "interval_minutes >= %(interval_min)s",
    "interval_max": "interval_minutes <= %(interval_max)s",
}
_LIVE = "user_id = %(user_id)s AND deleted_at IS NULL"

_SHOWN = {
    "id": "id::text",
    "payload": "CASE WHEN fits THEN payload END",
}
"""Fields of ListedWorkflow that are not read from a column of the same name."""
_SELECTED = ", ".join(
    _SHOWN.get(field, COLUMN_OF.get(field, field)) for field in ListedWorkflow._fields
)
COMPLETE = "NOT EXISTS (SELECT FROM lost_rows AS l WHERE l.user_id = %(user_id)s)"
"""Whether no row of the user is lost."""
# A window over the rows of a page counts them and their bytes; lengths are known without reading
# a payload that is stored apart.
_PAGE = f"""
    SELECT {_SELECTED}, NOT fits OR {USABLE} AS usable, {COMPLETE} AS complete
    FROM (
        SELECT *, row_number() OVER page = 1
               OR (row_number() OVER page <= {{limit}} AND sum(size) OVER page <= {{room}}) AS fits
        FROM (
            SELECT *, octet_length(payload) + octet_length(name) + {OTHER_BYTES} AS size
            FROM ({{found}} LIMIT {{limit}} + {{ahead}}) AS found
        ) AS sized
        WINDOW page AS (ORDER BY created_position DESC ROWS UNBOUNDED PRECEDING)
    ) AS w
"""  # noqa: S608 - constants
_NEWEST = "SELECT * FROM workflows WHERE {where} ORDER BY created_position DESC"
# The sum keeps the planner from walking the list in order, which is slow for a rare name.
_BY_NAME = "SELECT * FROM workflows WHERE {where} ORDER BY created_position + 0 DESC"
_WALK = """
    SELECT * FROM (
        SELECT * FROM workflows WHERE {live} ORDER BY created_position DESC LIMIT %(walked)s
    ) AS newest WHERE {where} ORDER BY created_position DESC
"""
_BEYOND = """
    SELECT EXISTS (
        SELECT FROM workflows WHERE {live} ORDER BY created_position DESC OFFSET %(walked)s LIMIT 1
    )
"""

Statement = tuple[str, Mapping[str, Any]]


class ListStatements:
    """The statements for one page of one list. `page` is for lists without a search.

    A row of a page has the fields of ListedWorkflow, then whether it is usable, and whether no row
    of the user is lost. `ahead` is the number of rows beyond `limit` that tell whether others
    follow. Workflows created before the position `since` are left out.
    """

    def __init__(
        self,
        user_id: str,
        filters: Filters,
        before: int | None,
        limit: int,
        room: int,
        *,
        ahead: int = 1,
        since: int = 0,
    ) -> None:
        self._limit, self._room, self._ahead = limit, room, ahead
        wanted = {
            "before": before,
            "since": since,
            "query": f"%{_literally(folded(filters.query))}%" if filters.query else "",
            "kind": filters.kind,
            "build_status": filters.build_status,
            "is_terminated": filters.is_terminated,
            "interval_min": filters.interval_min,
            "interval_max": filters.interval_max,
        }
        self.has_trigrams = len(folded(filters.query)) >= TRIGRAM
        walked = WALKED if self.has_trigrams else WALKED_WITHOUT_INDEX
        self._parameters = {**wanted, "user_id": user_id, "walked": walked}
        clauses = [_CLAUSES[name] for name, value in wanted.items() if value]
        self._where = " AND ".join([_LIVE, *clauses])
        self._live = " AND ".join([_LIVE, *([_CLAUSES["before"]] if before else [])])

    @property
    def page(self) -> Statement:
        """The page, by the index that the planner chooses."""
        return self._page(_NEWEST)

    @property
    def walk(self) -> Statement:
        """The part of the page that is found among the newest workflows."""
        return self._page(_WALK)

    @property
    def beyond(self) -> Statement:
        """Whether there are workflows that the walk did not read."""
        return _BEYOND.format(live=self._live), self._parameters

    @property
    def by_name(self) -> Statement:
        """The page, by the index of trigrams."""
        return self._page(_BY_NAME)

    def _page(self, found: str) -> Statement:
        statement = found.format(live=self._live, where=self._where)
        page = _PAGE.format(found=statement, limit=self._limit, room=self._room, ahead=self._ahead)
        return page, self._parameters


def _literally(text: str) -> str:
    """The text with its LIKE wildcards escaped."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
