"""The SQL of searches: each walks one index, and looks at a bounded number of entries.

Several filters may exclude each other, and no planner knows that. So the filter that fewest events
can meet chooses the index; the entries on it are walked in the order of the pages, and the other
filters are applied to each. After WALKED entries a page ends early, with a cursor.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from application.ledger import LedgerDigests
from application.search import ALWAYS_CHANGED, MOST_FREQUENT, Criteria, caller_of

WALKED = 20_000
"""How many entries one page looks at: some tens of milliseconds."""

BOUNDS = """
    SELECT coalesce((SELECT position FROM feed_times WHERE latest < %(since)s
                     ORDER BY latest DESC, position DESC LIMIT 1), 0),
           (SELECT position FROM feed_times WHERE earliest < %(until)s
            ORDER BY position DESC LIMIT 1)
"""
"""The position after which every event recorded since a time stands, and the one up to which every
event recorded before a time stands; the second is NULL if there is none."""

_WALK = """
    SELECT {columns} FROM event_search WHERE {where} ORDER BY position {order} LIMIT {walked}
"""
_PAGE = """
    SELECT workflow_id::text, version, position FROM ({walk}) AS walked
    WHERE {rest} ORDER BY position {order} LIMIT %(limit)s
"""
_ARMS = "SELECT * FROM ({arms}) AS arms ORDER BY position {order} LIMIT {walked}"
_LAST_WALKED = """
    SELECT position FROM ({walk}) AS walked ORDER BY position {order} OFFSET {before_last} LIMIT 1
"""

_DRIVERS = {
    "key_digest": "key_digest = %({name})s",
    "request_id": "request_id = %({name})s",
    "trace_id": "trace_id = %({name})s",
    "job_id": "job_id = %({name})s",
    "workflow_id": "workflow_id = %({name})s",
    "user_id": "user_id = %({name})s",
    "actor": "caller = %({name})s",
    "types": f"type = %({{name}})s AND type <> '{MOST_FREQUENT}'",
}
"""The filters that can choose the index, those first which fewest events meet."""

_FILTERS = {
    "key_digest": "key_digest = %(key_digest)s",
    "request_id": "request_id IN (%(request_id)s, 'client:' || %(request_id)s)",
    "trace_id": "trace_id = %(trace_id)s",
    "job_id": "job_id = %(job_id)s",
    "workflow_id": "workflow_id = %(workflow_id)s",
    "user_id": "user_id = %(user_id)s",
    "actor": "%(actor)s IN (actor, caller)",
    "types": "type = ANY (%(types)s)",
    "changed_field": "%(changed_field)s = ANY (changed_fields)",
    "since": "recorded_at >= %(since)s",
    "until": "recorded_at < %(until)s",
}

Statement = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Walk:
    """The entries between two positions, both excluded, in the order of a page."""

    above: int
    below: int
    newest_first: bool


class SearchStatements:
    """The statements for one page of a search."""

    def __init__(self, criteria: Criteria, digests: LedgerDigests, walk: Walk, limit: int) -> None:
        self._order = "DESC" if walk.newest_first else "ASC"
        wanted = _wanted(criteria, digests)
        driver = _driver(wanted)
        self._parameters = {**wanted, "above": walk.above, "below": walk.below, "limit": limit}
        self._arms = list(self._arms_of(driver, _values(driver, wanted)))
        self._rest = " AND ".join(_FILTERS[name] for name in wanted) or "true"

    @property
    def page(self) -> Statement:
        """The events of the page: workflow, version and position of each."""
        walk = self._walk("*")
        text = _PAGE.format(walk=walk, rest=self._rest, order=self._order)
        return text, self._parameters

    @property
    def last_walked(self) -> Statement:
        """The position of the last entry that the page looks at; no row if it looks at all."""
        walk = self._walk("position")
        text = _LAST_WALKED.format(walk=walk, order=self._order, before_last=WALKED - 1)
        return text, self._parameters

    def _walk(self, columns: str) -> str:
        arms = [
            _WALK.format(columns=columns, where=arm, order=self._order, walked=WALKED)
            for arm in self._arms
        ]
        if len(arms) == 1:
            return arms[0]
        together = " UNION ALL ".join(f"({arm})" for arm in arms)
        return _ARMS.format(arms=together, order=self._order, walked=WALKED)

    def _arms_of(self, driver: str, values: Sequence[Any]) -> Iterator[str]:
        """The conditions of each part of the walk: one a value, so that each walks in order."""
        bounds = "position > %(above)s AND position < %(below)s"
        for number, value in enumerate(values):
            name = f"value_{number}"
            self._parameters[name] = value
            yield f"{_DRIVERS[driver].format(name=name)} AND {bounds}"
        if not values:
            yield bounds


def _wanted(criteria: Criteria, digests: LedgerDigests) -> dict[str, Any]:
    """The values of the filters that are set, by the names of _FILTERS."""
    key = criteria.idempotency_key
    found: dict[str, Any] = {
        "key_digest": digests.search(key) if key else None,
        "request_id": criteria.request_id,
        "trace_id": criteria.trace_id,
        "job_id": criteria.job_id,
        "workflow_id": criteria.workflow_id,
        "user_id": criteria.user_id,
        "actor": criteria.actor,
        "types": sorted(criteria.types),
        "changed_field": criteria.changed_field.replace(ALWAYS_CHANGED, ""),
        "since": criteria.since,
        "until": criteria.until,
    }
    return {name: value for name, value in found.items() if value}


def _driver(wanted: Mapping[str, Any]) -> str:
    """The filter that chooses the index; empty if none can."""
    for name in _DRIVERS:
        if name in wanted and not (name == "types" and MOST_FREQUENT in wanted["types"]):
            return name
    return ""


def _values(driver: str, wanted: Mapping[str, Any]) -> Sequence[Any]:
    """The values of the driving filter, each of which is walked by itself."""
    if not driver:
        return ()
    value = wanted[driver]
    match driver:
        case "types":
            return tuple(value)
        case "request_id":
            return (value, f"client:{value}")
        case "actor":
            return tuple({value, caller_of(value)})
    return (value,)
