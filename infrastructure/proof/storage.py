"""Where the database itself cannot read what it stored: pages of the disk that are damaged."""

from typing import Any

from psycopg import Connection, Error

from application.verification.findings import Finding, Kind
from infrastructure.postgres.sqlstates import DAMAGE, trouble_of

_SLICE = 4096  # events
# Hashing reads each value whole, wherever it is stored.
_READ = """
    SELECT count(sha256(state)), count(sha256(salt)), count(sha256(content))
    FROM workflow_events WHERE notification_id > %s AND notification_id <= %s
"""


def storage_damage(connection: Connection[Any], end: int, error: Error) -> Finding | None:
    """The finding that stands for an error, at the first event that cannot be read, if any is.

    `end` is where the feed ends. None if the error is no damage.
    """
    if trouble_of(error) is not DAMAGE:
        return None
    connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    position = _first_unreadable(connection, 0, end)
    reason = error.diag.message_primary or type(error).__name__
    return Finding(Kind.DAMAGED_STORAGE, position, f"the database cannot read it: {reason}")


def _first_unreadable(connection: Connection[Any], begin: int, end: int) -> int:
    """The position of the first event that cannot be read; 0 if all can."""
    for start in range(begin, end, _SLICE):
        low, high = start, min(start + _SLICE, end)
        if _is_readable(connection, low, high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if _is_readable(connection, low, middle):
                low = middle
            else:
                high = middle
        return high
    return 0


def _is_readable(connection: Connection[Any], after: int, to: int) -> bool:
    try:
        connection.execute(_READ, (after, to)).fetchall()
    except Error as error:
        if trouble_of(error) is not DAMAGE:
            raise
        return False
    return True
