"""Restores the rows that a list lacks, or shows as they were before."""

from collections.abc import Collection, Sequence
from time import monotonic

import structlog

from application.damage import Damaged, KnownDamage
from application.ports import EventStore, Forgotten, StoredDataDamaged, StoreUnavailable, Stream
from infrastructure.postgres.connection import array_of
from infrastructure.postgres.session import Session

AT_ONCE = 100  # rows
WITHIN = 1.0  # seconds
_LOST = f"""
    SELECT id::text FROM lost_rows WHERE user_id = %s AND id <> ALL (%s::uuid[])
    ORDER BY created_position DESC LIMIT {AT_ONCE}
"""  # noqa: S608 - a number of ours
_STRIKE_OFF = "DELETE FROM lost_rows WHERE id = ANY (%s::uuid[])"
_NAMES = """
    SELECT originator_id::text FROM workflow_events
    WHERE notification_id = ANY (%s::bigint[]) AND originator_version = 1
    ORDER BY notification_id DESC
"""
_log = structlog.get_logger()


class Repairs:
    """Restores rows of lists, and names the workflows whose rows cannot be restored.

    `streams` and `session` are of one thread, that of `damaged`.
    """

    def __init__(self, session: Session, streams: EventStore, damaged: Damaged) -> None:
        self._session = session
        self._streams = streams
        self._damaged = damaged

    def restore_lost(self, user_id: str) -> list[str] | None:
        """Restores the lost rows of a user. Returns the workflows whose events are damaged.

        Returns None if no row was lost. Raises StoreUnavailable if more were lost than one call
        can restore: the next call goes on.
        """
        give_up_at = monotonic() + WITHIN
        unreadable: list[str] = []
        any_lost = False
        while lost := self._lost(user_id, unreadable):
            any_lost = True
            unreadable += self._restored(lost)
            left = set(self._lost(user_id, unreadable))
            if not left.isdisjoint(lost) or (left and monotonic() > give_up_at):
                raise StoreUnavailable(
                    "Some workflows of this list must be restored first", reason="STORE_BUSY"
                )
        return unreadable if any_lost else None

    def restore(self, ids: Sequence[str]) -> list[str]:
        """Restores rows that cannot be used. Returns the workflows whose events are damaged."""
        return self._restored(ids)

    def named(self, positions: Sequence[int], fault: Exception) -> list[str]:
        """The workflows that were created at these positions, and cannot be read."""
        wanted = array_of(map(str, positions))
        rows = self._session.read(
            lambda connection: connection.execute(_NAMES, (wanted,)).fetchall()
        )
        for (workflow_id,) in rows:
            self._report(workflow_id, fault)
        return [row[0] for row in rows]

    def _lost(self, user_id: str, unreadable: Collection[str]) -> list[str]:
        but = array_of(unreadable)
        rows = self._session.read(
            lambda connection: connection.execute(_LOST, (user_id, but)).fetchall()
        )
        return [row[0] for row in rows]

    def _restored(self, ids: Sequence[str]) -> list[str]:
        unreadable = self._damaged.among(ids)
        whole = [workflow_id for workflow_id in ids if workflow_id not in unreadable]
        streams: dict[str, Stream] = {}
        try:
            streams |= self._streams.load(whole, ()).streams
        except StoredDataDamaged:
            for workflow_id in whole:
                try:
                    streams |= self._streams.load([workflow_id], ()).streams
                except StoredDataDamaged as fault:
                    self._report(workflow_id, fault)
                    unreadable.add(workflow_id)
        self._strike_off([i for i in whole if i not in unreadable and _is_settled(streams.get(i))])
        return [workflow_id for workflow_id in ids if workflow_id in unreadable]

    def _strike_off(self, ids: Sequence[str]) -> None:
        if ids:
            struck_off = array_of(ids)
            self._session.read(
                lambda connection: connection.execute(_STRIKE_OFF, (struck_off,)).rowcount
            )

    def _report(self, workflow_id: str, fault: Exception) -> None:
        if not isinstance(self._damaged.found(workflow_id, fault), KnownDamage):
            _log.error("workflow left out of a list", workflow=workflow_id, exc_info=fault)


def _is_settled(stream: Stream | None) -> bool:
    """Whether no row is missed: it is there, or nothing is left of which it could be made."""
    return stream is None or not stream.rebuilt or isinstance(stream.workflow, Forgotten)
