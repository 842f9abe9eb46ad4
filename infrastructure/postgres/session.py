"""One connection for one thread: opened when needed, opened again after it was lost."""

import time
from collections.abc import Callable
from typing import TypeVar

from psycopg import Error
from psycopg.pq import TransactionStatus

from application.ports import StoreUnavailable
from infrastructure.postgres.connection import BoundedConnection, connect

T = TypeVar("T")

AGAIN_WITHIN = 1.0  # seconds
PAUSE = 0.5  # seconds


class Session:
    """A connection that comes back by itself. Not for use by two threads at once."""

    def __init__(
        self,
        dsn: str,
        *,
        keeps_plans: bool = False,
        greet: Callable[[BoundedConnection], None] = lambda _: None,
    ) -> None:
        """With `keeps_plans`, a statement is planned once for all values it will ever get.

        `greet` is called with each new connection; what it raises refuses the connection.
        """
        self._dsn = dsn
        self._greet = greet
        self._keeps_plans = keeps_plans
        self._connection: BoundedConnection | None = None
        self._unreachable_until = 0.0

    def connection(self) -> BoundedConnection:
        """The connection, opened where there is none. Raises StoreUnavailable.

        What could not be reached just now is not tried again at once, so that callers who wait
        in line are not kept for a time-out each.
        """
        if self._connection is None:
            if time.monotonic() < self._unreachable_until:
                raise StoreUnavailable("The database could not be reached just now")
            try:
                self._connection = connect(self._dsn, keeps_plans=self._keeps_plans)
                self._greet(self._connection)
            except Error as refused:
                self._refuse()
                raise StoreUnavailable("The database cannot be reached") from refused
            except StoreUnavailable:
                self._refuse()
                raise
        return self._connection

    def read(self, query: Callable[[BoundedConnection], T]) -> T:
        """The answer to a query that changes nothing.

        A connection that turns out to be lost at once is replaced and asked again; one that fell
        silent has used up the caller's patience. Raises StoreUnavailable.
        """
        started = time.monotonic()
        try:
            return query(self.connection())
        except Error as error:
            if not self.is_lost():
                raise StoreUnavailable("The database could not answer") from error
            if time.monotonic() - started > AGAIN_WITHIN:
                raise StoreUnavailable("The database does not answer") from error
        try:
            return query(self.connection())
        except Error as error:
            self.is_lost()
            raise StoreUnavailable("The database does not answer") from error

    def is_lost(self) -> bool:
        """Whether the connection broke or fell silent; then it is closed and the next is new."""
        if self._connection is not None:
            status = self._connection.pgconn.transaction_status
            if status == TransactionStatus.IDLE:
                return False
        self.close()
        return True

    def _refuse(self) -> None:
        self._unreachable_until = time.monotonic() + PAUSE
        self.close()

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
