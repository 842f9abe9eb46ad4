"""Marks of workflows: what changes whenever a workflow's row or one of its events is changed."""

from collections.abc import Collection, Mapping

from application.ports import StoredDataDamaged
from infrastructure.postgres.connection import array_of
from infrastructure.postgres.session import Session

# Where each version of a row or event lies, and which transaction wrote it: no stored value is
# read, so damage in one does not matter.
_MARKS = """
    SELECT asked.id::text, md5(concat(
        (SELECT concat(w.ctid, w.xmin) FROM workflows AS w WHERE w.id = asked.id), ' ',
        (SELECT string_agg(concat(e.ctid, e.xmin), ' ' ORDER BY e.originator_version)
         FROM workflow_events AS e WHERE e.originator_id = asked.id)
    )) FROM unnest(%s::uuid[]) AS asked(id)
"""
_UNREADABLE = "its pages cannot be read"


class PostgresMarks:
    """The marks of workflows (see application.damage.Marks), on the session of one thread."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, ids: Collection[str]) -> Mapping[str, str]:
        """See Marks."""
        try:
            return self._marks(ids)
        except StoredDataDamaged:  # Not a value is damaged, but the page in which it lies.
            return {workflow_id: self._lone(workflow_id) for workflow_id in ids}

    def _lone(self, workflow_id: str) -> str:
        try:
            return self._marks([workflow_id])[workflow_id]
        except StoredDataDamaged:
            return _UNREADABLE

    def _marks(self, ids: Collection[str]) -> Mapping[str, str]:
        wanted = array_of(ids)
        rows = self._session.read(
            lambda connection: connection.execute(_MARKS, (wanted,)).fetchall()
        )
        return {row[0]: row[1] for row in rows}
