"""Entries of the ledger beside the events that they name."""

from collections.abc import Iterator, Sequence
from secrets import token_bytes
from typing import Any, NamedTuple

from psycopg import Connection

from application.check import Claim, Finding, Kind, Part

AT_ONCE = 20_000  # entries

_ENTRIES = """
    SELECT encode(l.key, 'hex'), e.notification_id IS DISTINCT FROM l.position
    FROM (SELECT * FROM command_ledger WHERE key > decode(%s, 'hex') ORDER BY key LIMIT %s) AS l
    LEFT JOIN workflow_events AS e
        ON e.originator_id = l.workflow_id AND e.originator_version = l.version
    ORDER BY l.key
"""
_ENTRIES_SINCE = """
    SELECT encode(l.key, 'hex'), e.notification_id IS DISTINCT FROM l.position
    FROM command_ledger AS l
    LEFT JOIN workflow_events AS e
        ON e.originator_id = l.workflow_id AND e.originator_version = l.version
    WHERE l.position > %s
"""
# What an entry astray says, the event that it names, and the event that stands where it says.
# Events and entries carry the id of their append: it shows which of the two is the entry's.
_ASTRAY = """
    SELECT encode(l.key, 'hex'), l.workflow_id::text, l.version, l.position,
           named.notification_id, named.append_id = l.append_id,
           there.originator_id::text, there.originator_version, there.append_id = l.append_id
    FROM command_ledger AS l
    LEFT JOIN workflow_events AS named
        ON named.originator_id = l.workflow_id AND named.originator_version = l.version
    LEFT JOIN workflow_events AS there ON there.notification_id = l.position
    WHERE l.key = ANY (%s::bytea[])
    ORDER BY l.key
"""
_ENTRY_OF = """
    SELECT FROM command_ledger WHERE workflow_id = %s AND version = %s AND position = %s LIMIT 1
"""


class CheckedLedger:
    """The ledger of a database, looked at part by part."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def all(self) -> Iterator[Part]:
        """Looks at every entry."""
        key = ""
        while rows := self._connection.execute(_ENTRIES, (key, AT_ONCE)).fetchall():
            key = rows[-1][0]
            yield self._part(rows)

    def some(self, count: int) -> Iterator[Part]:
        """Looks at so many entries."""
        for _ in range(count):  # Keys are digests, so those after a random one are random.
            key = token_bytes(32).hex()
            yield self._part(self._connection.execute(_ENTRIES, (key, 1)).fetchall())

    def since(self, position: int) -> Iterator[Part]:
        """Looks at the entries that name a later position."""
        yield self._part(self._connection.execute(_ENTRIES_SINCE, (position,)).fetchall())

    def _part(self, rows: Sequence[tuple[str, bool]]) -> Part:
        astray = [bytes.fromhex(key) for key, is_astray in rows if is_astray]
        found = self._connection.execute(_ASTRAY, (astray,)).fetchall() if astray else []
        return Part("ledger", len(rows), 0, [self._astray(_Astray._make(row)) for row in found])

    def _astray(self, entry: "_Astray") -> Finding:
        """An entry astray, at the workflow and the position to which it belongs."""
        says = entry.claim
        words = f"key {entry.key[:16]}…: it says event {says.version} of workflow"
        words = f"{words} {says.workflow_id} at position {says.position}"
        if entry.there_is_its and (not entry.named_is_its or self._is_anothers(entry)):
            detail = f"{words}; its event is {entry.there_version} of this workflow"
            return Finding(Kind.ASTRAY, entry.there_id or "", detail, says.position, says)
        if entry.named is not None:
            detail = f"{words}; the event is at {entry.named}"
            return Finding(Kind.ASTRAY, says.workflow_id, detail, entry.named, says)
        return Finding(Kind.ASTRAY, says.workflow_id, f"{words}; no such event exists", 0, says)

    def _is_anothers(self, entry: "_Astray") -> bool:
        """Whether the event that an entry names has an entry that says where it is."""
        named = (entry.workflow_id, entry.version, entry.named)
        return self._connection.execute(_ENTRY_OF, named).fetchone() is not None


class _Astray(NamedTuple):
    """An entry that does not say where its event is; see _ASTRAY."""

    key: str
    workflow_id: str
    version: int
    position: int
    named: int | None
    named_is_its: bool | None
    there_id: str | None
    there_version: int | None
    there_is_its: bool | None

    @property
    def claim(self) -> Claim:
        """What it says."""
        return Claim(self.workflow_id, self.version, self.position)
