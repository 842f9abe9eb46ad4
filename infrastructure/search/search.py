"""The search on PostgreSQL: entries of the table that the follower fills."""

from typing import Any

from psycopg import Connection

from application.ledger import LedgerDigests
from application.ports import Feed, Place, Version
from application.search import Criteria, Found
from infrastructure.postgres.session import Session
from infrastructure.search.finding import BOUNDS, SearchStatements, Walk
from infrastructure.search.follower import NAME

_LAST = 2**63 - 1
_PLACE = """
    SELECT coalesce((SELECT position FROM followers WHERE name = %s), 0), epoch FROM feed_epoch
"""


class PostgresSearch:
    """An EventSearch on a session of its own."""

    def __init__(self, session: Session, digests: LedgerDigests) -> None:
        self._session = session
        self._digests = digests

    def place(self) -> Place:
        """See EventSearch.place."""
        [(position, epoch)] = self._session.read(
            lambda connection: connection.execute(_PLACE, (NAME,)).fetchall()
        )
        return Place(position, Feed(epoch))

    def find(
        self, criteria: Criteria, *, beyond: int | None, limit: int, newest_first: bool
    ) -> Found:
        """See EventSearch.find."""
        return self._session.read(
            lambda connection: self._find(connection, criteria, beyond, limit, newest_first)
        )

    def _find(
        self,
        connection: Connection[Any],
        criteria: Criteria,
        beyond: int | None,
        limit: int,
        newest_first: bool,
    ) -> Found:
        walk = _walk(connection, criteria, beyond, newest_first=newest_first)
        statements = SearchStatements(criteria, self._digests, walk, limit + 1)
        rows = connection.execute(*statements.page).fetchall()
        versions = [Version(workflow_id, version) for workflow_id, version, _ in rows[:limit]]
        if len(rows) > limit:
            return Found(versions, rows[limit - 1][2])
        last = connection.execute(*statements.last_walked).fetchone()
        return Found(versions, None if last is None else last[0])


def _walk(
    connection: Connection[Any], criteria: Criteria, beyond: int | None, *, newest_first: bool
) -> Walk:
    """Between which positions the entries that can match stand."""
    above, below = 0, _LAST
    if criteria.since is not None or criteria.until is not None:
        bounds = {"since": criteria.since, "until": criteria.until}
        [(after, up_to)] = connection.execute(BOUNDS, bounds).fetchall()
        above = after
        if criteria.until is not None:
            below = 0 if up_to is None else up_to + 1
    if beyond is not None and newest_first:
        below = min(below, beyond)
    elif beyond is not None:
        above = max(above, beyond)
    return Walk(above, below, newest_first)
