"""What became of an append whose acknowledgement was lost.

A lost connection does not tell whether the server committed. Under the append lock the question
has an answer: the old session has committed or it has ended, and whatever it could still deliver
late would meet streams that moved on. So the append is looked up by an id of its own.
"""

from collections.abc import Mapping, Sequence

import orjson

from application.ports import Change, OutcomeUnknown, StoreUnavailable
from infrastructure.postgres.connection import BoundedConnection, array_of
from infrastructure.postgres.session import Session

_LOCK = "SELECT pg_advisory_xact_lock(5005201)"
_FIND = """
    SELECT c.id, e.notification_id
    FROM json_to_recordset(%s::json) AS c(id text, version bigint)
    JOIN workflow_events AS e
      ON e.originator_id = c.id::uuid AND e.originator_version = c.version
    WHERE e.append_id = %s
    UNION
    SELECT l.workflow_id::text, l.position
    FROM unnest(%s::text[]) AS asked(key)
    JOIN command_ledger AS l ON l.key = decode(asked.key, 'hex')
    WHERE l.append_id = %s
"""


def settle(session: Session, append_id: str, changes: Sequence[Change]) -> Mapping[str, int]:
    """Where those changes end that the lost append recorded; the others it did not.

    A change is known by its last event, or by its ledger entries where it has none.

    Raises OutcomeUnknown where the database does not come back to be asked.
    """
    ends = orjson.dumps([{"id": c.workflow_id, "version": c.version} for c in changes if c.events])
    unmoved = [c for c in changes if not c.events]
    keys = array_of(key.hex() for change in unmoved for key in change.ledger)
    try:
        return session.read(lambda connection: _find(connection, append_id, ends, keys))
    except StoreUnavailable as lost:
        raise OutcomeUnknown("the database was lost during an append") from lost


def _find(
    connection: BoundedConnection, append_id: str, ends: bytes, keys: str
) -> Mapping[str, int]:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_LOCK)
        cursor.execute(_FIND, (ends.decode(), append_id, keys, append_id))
        return dict(cursor.fetchall())
