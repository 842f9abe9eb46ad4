"""Erasures and holds on PostgreSQL: each step is a function with the owner's rights.

An erasure may read whole tables, so it has connections of its own, without the short time-outs of
the service's sessions.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
from psycopg import Connection, Error

from application.erasure import (
    EraseUser,
    Hold,
    HoldUser,
    NotHeld,
    UserHeld,
)
from application.ports import Feed, StoreUnavailable
from application.receipts import ErasedWorkflow, Erasure, KeptReceipt
from infrastructure.eventstore.stored_form import digest
from infrastructure.postgres.connection import with_network_guards
from infrastructure.postgres.sqlstates import trouble_of

AT_ONCE = 500  # events: appends wait until the rows of their workflows are gone, too

_HELD = "WF005"
_BOUNDS = """
    SET timezone = 'UTC'; SET lock_timeout = '10s'; SET synchronous_commit = on;
    SET statement_timeout = '30min'
"""
_TURN = "SELECT pg_advisory_xact_lock(5005205)"
_HOLD = """
    SELECT reason, held_by, held_at FROM user_holds WHERE user_id = %s AND released_at IS NULL
"""
_HOLD_NOW = """
    INSERT INTO user_holds (user_id, reason, held_by) VALUES (%s, %s, %s)
    ON CONFLICT (user_id) WHERE released_at IS NULL DO NOTHING
"""
_RELEASE = """
    UPDATE user_holds SET release_reason = %s, released_by = %s, released_at = now()
    WHERE user_id = %s AND released_at IS NULL
"""
_COUNT = """
    WITH found AS MATERIALIZED (SELECT id FROM workflows_of_v1(%(user)s, %(named)s) AS f(id))
    SELECT (SELECT count(*) FROM workflow_events AS e JOIN found ON found.id = e.originator_id
            WHERE e.content IS NOT NULL),
           (SELECT count(*) FROM command_ledger AS l JOIN found ON found.id = l.workflow_id),
           (SELECT count(*) FROM event_search AS s JOIN found ON found.id = s.workflow_id),
           (SELECT coalesce(max(notification_id), 0) FROM workflow_events),
           (SELECT epoch FROM feed_epoch)
"""
_FOUND = "SELECT id FROM workflows_of_v1(%s, %s) AS f(id)"
_ERASURE = """
    SELECT e.reason, e.legal_basis, e.actor, coalesce(e.position, 0), e.erased_at, e.events,
           e.ledger_entries, e.search_entries, coalesce(e.number, 0), coalesce(e.receipt, ''),
           (SELECT epoch FROM feed_epoch)
    FROM erasures AS e WHERE e.id = %s
"""
_LAST_EVENTS = """
    SELECT l.originator_id::text, l.originator_version, l.notification_id, l.state
    FROM unnest(%s::uuid[]) AS asked(id), LATERAL (
        SELECT originator_id, originator_version, notification_id, state FROM workflow_events
        WHERE originator_id = asked.id ORDER BY originator_version DESC LIMIT 1
    ) AS l ORDER BY l.originator_id
"""
_ERASED = "SELECT workflow_id FROM erased_workflows WHERE receipt_id = %s"
_UNFINISHED = "SELECT id::text FROM erasures WHERE receipt IS NULL ORDER BY asked_at"
_RECEIPTS = """
    SELECT number, id::text, receipt FROM erasures
    WHERE receipt IS NOT NULL AND number > %s ORDER BY number
"""


class PostgresErasures:
    """An ErasureStore. Safe on any thread: each call has a connection of its own."""

    def __init__(self, dsn: str) -> None:
        self._dsn = with_network_guards(dsn)

    def count(self, user_id: str) -> Erasure:
        """See ErasureStore.count."""
        asked = {"user": user_id, "named": _named(user_id)}
        with self._connected() as connection:
            if hold := _hold(connection, user_id):
                raise UserHeld(hold)
            rows = connection.execute(_FOUND, (user_id, asked["named"])).fetchall()
            [(events, ledger, search, position, epoch)] = connection.execute(
                _COUNT, asked
            ).fetchall()
            erased = _last_events(connection, [row[0] for row in rows])
        feed = Feed(epoch)
        return Erasure("", "", "", "", feed, position, None, erased, events, ledger, search)

    def begin(self, receipt_id: str, asked: EraseUser, actor: str) -> str:
        """See ErasureStore.begin."""
        fence = (receipt_id, asked.user_id, asked.reason, asked.legal_basis, actor)
        with self._connected() as connection:
            try:
                [(begun,)] = connection.execute(
                    "SELECT begin_erasure_v1(%s, %s, %s, %s, %s)", fence
                ).fetchall()
            except Error as refused:
                if refused.sqlstate == _HELD and (hold := _hold(connection, asked.user_id)):
                    raise UserHeld(hold) from refused
                raise
        return str(begun)

    def repeat(self, erasure: Erasure) -> bool:
        """See ErasureStore.repeat."""
        again = (
            erasure.id,
            erasure.number,
            erasure.reason,
            erasure.legal_basis,
            erasure.actor,
            erasure.erased_at,
            [UUID(each.workflow_id) for each in erasure.workflows],
        )
        with self._connected() as connection:
            [(begun,)] = connection.execute(
                "SELECT repeat_erasure_v1(%s, %s, %s, %s, %s, %s, %s)", again
            ).fetchall()
        return bool(begun)

    def forget(self, receipt_id: str) -> Erasure:
        """See ErasureStore.forget."""
        with self._connected() as connection:
            fenced = "SELECT user_id FROM erasures WHERE id = %s AND user_id IS NOT NULL"
            for (user_id,) in connection.execute(fenced, (receipt_id,)).fetchall():
                connection.execute(
                    "SELECT gather_erasure_v1(%s, %s)", (receipt_id, _named(user_id))
                )
            more = (True,)
            while more == (True,):
                more = connection.execute(
                    "SELECT forget_events_v1(%s, %s)", (receipt_id, AT_ONCE)
                ).fetchone() or (False,)
            connection.execute("SELECT clear_ledger_v1(%s)", (receipt_id,))
            return _erasure(connection, receipt_id)

    def end(self, receipt_id: str, receipt: str | None) -> None:
        """See ErasureStore.end."""
        with self._connected() as connection:
            connection.execute("SELECT end_erasure_v1(%s, %s)", (receipt_id, receipt))

    def unfinished(self) -> Sequence[str]:
        """See ErasureStore.unfinished."""
        with self._connected() as connection:
            return [row[0] for row in connection.execute(_UNFINISHED).fetchall()]

    def receipts(self, after: int = 0) -> Iterator[KeptReceipt]:
        """See ErasureStore.receipts."""
        with self._connected() as connection:
            yield from map(KeptReceipt._make, connection.execute(_RECEIPTS, (after,)).fetchall())

    def hold(self, asked: HoldUser, actor: str) -> None:
        """See ErasureStore.hold."""
        with self._connected() as connection, connection.transaction():
            connection.execute(_TURN)
            connection.execute(_HOLD_NOW, (asked.user_id, asked.reason, actor))

    def release(self, asked: HoldUser, actor: str) -> None:
        """See ErasureStore.release."""
        with self._connected() as connection, connection.transaction():
            connection.execute(_TURN)
            done = connection.execute(_RELEASE, (asked.reason, actor, asked.user_id))
            if not done.rowcount:
                raise NotHeld

    @contextmanager
    def _connected(self) -> Iterator[Connection[Any]]:
        """A connection. Raises StoreUnavailable for whatever the database refuses in the block."""
        try:
            with Connection.connect(self._dsn, autocommit=True) as connection:
                connection.execute(_BOUNDS)
                yield connection
        except Error as error:
            raise trouble_of(error).refusal(error) from error


def _named(user_id: str) -> bytes:
    """How the content of a creation names its user, byte by byte; see stored_form.content_of."""
    return b'"user_id":' + orjson.dumps(user_id)


def _hold(connection: Connection[Any], user_id: str) -> Hold | None:
    found = connection.execute(_HOLD, (user_id,)).fetchone()
    return Hold(*found) if found else None


def _erasure(connection: Connection[Any], receipt_id: str) -> Erasure:
    found = connection.execute(_ERASURE, (receipt_id,)).fetchone()
    if found is None:
        raise StoreUnavailable("The erasure was ended by another process", retry=True)
    reason, basis, actor, position, erased_at, events, ledger, search, number, receipt, epoch = (
        found
    )
    ids = [row[0] for row in connection.execute(_ERASED, (receipt_id,)).fetchall()]
    return Erasure(
        receipt_id if ids else "",
        reason,
        basis,
        actor,
        Feed(epoch),
        position,
        erased_at,
        _last_events(connection, ids),
        events,
        ledger,
        search,
        number,
        receipt,
    )


def _last_events(connection: Connection[Any], ids: Sequence[UUID]) -> list[ErasedWorkflow]:
    rows = connection.execute(_LAST_EVENTS, (list(ids),)).fetchall()
    return [
        ErasedWorkflow(workflow_id, version, position, digest(state))
        for workflow_id, version, position, state in rows
    ]
