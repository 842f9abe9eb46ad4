"""Errors of a database by kind: the refusal that callers get, and what the service does next.

PostgreSQL's SQLSTATE decides, not the class of the exception: drivers map some codes to a wrong
class.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import DataError, Error, InterfaceError, OperationalError

from application.ports import StoreUnavailable


@dataclass(frozen=True, slots=True)
class Trouble:
    """A kind of trouble.

    `name` stands in logs, `sentence` and `reason` are for callers. `retry` is true if the same may
    work soon. `renew` is true if a new connection may do better. If `unready` is true, the service
    is not ready from the first occurrence on: the error is certain, and an operator must act.
    """

    name: str
    sentence: str
    reason: str
    retry: bool = True
    renew: bool = False
    unready: bool = False

    def refusal(self, error: Exception) -> StoreUnavailable:
        """The refusal of all callers that wait for the database."""
        said = str(error).strip().splitlines() or [type(error).__name__]
        return StoreUnavailable(
            self.sentence,
            reason=self.reason,
            retry=self.retry,
            lasting=self.unready,
            why=f"{self.name}: {said[0]}",
        )


CONNECTION = Trouble(
    "no connection", "The database cannot be reached", "STORE_UNAVAILABLE", renew=True
)
OUTDATED = Trouble(
    "connection outdated", "The database was changed just now", "STORE_UNAVAILABLE", renew=True
)
CONTENTION = Trouble("contention", "The database is busy with other work", "STORE_BUSY")
TOO_SLOW = Trouble("lock or time-out", "The database is busy with other work", "STORE_BUSY")
READ_ONLY = Trouble(
    "read-only server",
    "The database accepts no writes now",
    "STORE_READ_ONLY",
    renew=True,
    unready=True,
)
NO_RIGHT = Trouble(
    "no right",
    "The service has no right to its own data",
    "STORE_FORBIDS",
    retry=False,
    renew=True,
    unready=True,
)
SCHEMA = Trouble(
    "schema",
    "The database's schema does not fit this version of the service",
    "STORE_SCHEMA",
    retry=False,
    renew=True,
    unready=True,
)
FULL = Trouble("no room", "The database has no room left", "STORE_FULL", unready=True)
DAMAGE = Trouble("damage", "Stored data is damaged", "STORED_DATA_DAMAGED", retry=False)
UNKNOWN = Trouble("unknown", "The database refused", "STORE_REFUSED", retry=False)

SQLSTATES: Mapping[str, Trouble] = {
    "08": CONNECTION,
    "0A000": OUTDATED,  # cached plan must not change result type: nothing ran
    "25006": READ_ONLY,
    "25P02": CONNECTION,  # the transaction had failed before this statement
    "25P03": TOO_SLOW,  # idle in transaction
    "25P04": TOO_SLOW,  # transaction_timeout
    "26000": OUTDATED,  # no such prepared statement: nothing ran
    "28": NO_RIGHT,
    "3D": SCHEMA,  # no such database
    "3F": SCHEMA,  # no such schema
    "40": CONTENTION,
    "42": SCHEMA,
    "42501": NO_RIGHT,
    "53": FULL,
    "53300": CONNECTION,  # too many connections
    "55006": CONTENTION,
    "55P03": TOO_SLOW,  # lock_timeout
    "57014": TOO_SLOW,  # statement_timeout, or cancelled by an operator
    "57P": CONNECTION,  # the server stops, starts or crashed
    "58": FULL,  # the server cannot write or read its files
    "XX001": DAMAGE,
    "XX002": DAMAGE,
}
"""The kind of each code, or of its first three or two characters if the code is missing."""

# If a server takes no writes, libpq refuses it without a code.
_NO_WRITES = ("session is read-only", "server is in hot standby mode")


def trouble_of(error: Error) -> Trouble:
    """The kind of trouble that an error means."""
    if code := error.sqlstate:
        for length in (5, 3, 2):
            if found := SQLSTATES.get(code[:length]):
                return found
        return UNKNOWN
    if isinstance(error, OperationalError | InterfaceError):
        text = str(error)
        return READ_ONLY if any(words in text for words in _NO_WRITES) else CONNECTION
    # An error without a code: the driver could not read a stored value.
    return DAMAGE if isinstance(error, DataError) else UNKNOWN


def is_certain(error: Error) -> bool:
    """Whether the server itself refused the statement, so nothing was recorded."""
    return error.sqlstate is not None and trouble_of(error) is not CONNECTION
