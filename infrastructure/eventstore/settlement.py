"""Finds the outcome of an append whose acknowledgement was lost.

A lost connection does not tell whether the server committed, and its statement may still be on its
way. So the append is looked up by an id of its own; if it is not there, the id is fenced in the
same transaction, and a statement that arrives later with this id is refused.
"""

from collections.abc import Mapping, Sequence

import orjson
from psycopg import Error

from application.ports import Change, OutcomeUnknown, StoreUnavailable
from infrastructure.postgres.connection import LOCK_WITHIN, array_of
from infrastructure.postgres.session import Session

SETTLE = "SELECT workflow_id, end_position FROM settle_append_v1(%s, %s, %s, %s, %s)"

SETTLED_WITHIN = 4.5  # seconds after the append was sent; then OutcomeUnknown is raised
LEAST_WAIT = 1.0  # seconds


def settle(
    session: Session, append_id: str, epoch: int, changes: Sequence[Change], *, passed: float = 0.0
) -> Mapping[str, int]:
    """The end positions of the changes that the lost append recorded: all of its changes, or none.

    If none was recorded, none can be recorded later. A change is found by its last event, or by its
    ledger entries if it has no event. `epoch` is the epoch in which the append was sent; `passed`
    is the seconds since then.

    Raises OutcomeUnknown if the database does not come back to be asked, takes no writes, or
    began a new epoch meanwhile.
    """
    ends = orjson.dumps([{"id": c.workflow_id, "version": c.version} for c in changes if c.events])
    unmoved = [change for change in changes if not change.events]
    keys = array_of(key.hex() for change in unmoved for key in change.ledger)
    patience = min(LOCK_WITHIN, max(LEAST_WAIT, SETTLED_WITHIN - passed))
    asked = (append_id, epoch, int(patience * 1000), ends.decode(), keys)
    try:
        return session.read(lambda connection: dict(connection.execute(SETTLE, asked).fetchall()))
    except (StoreUnavailable, Error) as lost:
        raise OutcomeUnknown("the database was lost during an append") from lost
