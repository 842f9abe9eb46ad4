"""One connection for one thread: opened when needed, opened again after it was lost."""

from collections.abc import Callable
from typing import TypeVar

from psycopg import InterfaceError, OperationalError
from psycopg.pq import TransactionStatus

from application.ports import StoreUnavailable
from infrastructure.postgres.connection import BoundedConnection, connect

T = TypeVar("T")


class Session:
    """A connection that comes back by itself. Not for use by two threads at once."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: BoundedConnection | None = None

    def connection(self) -> BoundedConnection:
        """The connection, opened where there is none. Raises StoreUnavailable."""
        if self._connection is None:
            try:
                self._connection = connect(self._dsn)
            except (OperationalError, InterfaceError) as refused:
                raise StoreUnavailable("the database cannot be reached") from refused
        return self._connection

    def read(self, query: Callable[[BoundedConnection], T]) -> T:
        """The answer to a query that changes nothing, asked again once if the connection is lost.

        Raises StoreUnavailable.
        """
        try:
            return query(self.connection())
        except (OperationalError, InterfaceError):
            self.is_lost()
        try:
            return query(self.connection())
        except (OperationalError, InterfaceError) as lost:
            self.is_lost()
            raise StoreUnavailable("the database does not answer") from lost

    def is_lost(self) -> bool:
        """Whether the connection broke or fell silent; then it is closed and the next is new."""
        if self._connection is not None:
            status = self._connection.pgconn.transaction_status
            if status == TransactionStatus.IDLE:
                return False
        self.close()
        return True

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
