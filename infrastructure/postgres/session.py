"""One connection for one thread: opened when needed, and again after it was lost."""

import time
from collections.abc import Callable
from typing import TypeVar

from psycopg import Error
from psycopg.pq import TransactionStatus

from application.ports import StoredDataDamaged, StoreUnavailable
from infrastructure.postgres.connection import BoundedConnection, connect
from infrastructure.postgres.sqlstates import DAMAGE, UNKNOWN, Trouble, trouble_of
from infrastructure.postgres.watch import DatabaseWatch

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
        watch: DatabaseWatch | None = None,
    ) -> None:
        """With `keeps_plans`, a statement is planned once, for all values.

        `greet` is called with each new connection; if it raises, the connection is not used.
        """
        self._dsn = dsn
        self._keeps_plans = keeps_plans
        self._greet = greet
        self._watch = watch or DatabaseWatch()
        self._connection: BoundedConnection | None = None
        self._refused: StoreUnavailable | None = None
        self._refused_until = 0.0

    def connection(self) -> BoundedConnection:
        """The connection; a new one if there is none. Raises StoreUnavailable.

        After a refusal, the database is not asked again at once: otherwise each waiting caller
        would wait for a time-out of its own.
        """
        if self._connection is None:
            if self._refused and time.monotonic() < self._refused_until:
                raise self._refused
            try:
                self._connection = connect(self._dsn, keeps_plans=self._keeps_plans)
                self._watch.opened()
                self._greet(self._connection)
            except Error as error:
                refusal = trouble_of(error).refusal(error)
                self._refuse(refusal)
                raise refusal from error
            except StoreUnavailable as refusal:
                self._refuse(refusal)
                raise
            self._refused = None
        return self._connection

    def read(self, query: Callable[[BoundedConnection], T]) -> T:
        """The result of a query that changes nothing, or that may be repeated.

        A lost or outdated connection is replaced, and the query is repeated at once. It is not
        repeated after a time-out: the caller has waited long enough. Raises StoreUnavailable,
        StoredDataDamaged if something stored cannot be read, or any other error of the query.
        """
        started = time.monotonic()
        try:
            found = query(self.connection())
        except Error as error:
            trouble = self.trouble(error)
            if not trouble.renew or time.monotonic() - started > AGAIN_WITHIN:
                raise self._refusal(trouble, error) from error
        else:
            self._watch.answered(time.monotonic() - started)
            return found
        try:
            return query(self.connection())
        except Error as error:
            raise self._refusal(self.trouble(error), error) from error

    def trouble(self, error: Error) -> Trouble:
        """The kind of trouble that an error of this session means.

        If the connection is lost, or a new one may work better, it is closed. The next use opens a
        new one.
        """
        trouble = trouble_of(error)
        connection = self._connection
        broken = (
            connection is None or connection.pgconn.transaction_status != TransactionStatus.IDLE
        )
        if broken or trouble.renew:
            self._close(lost=True)
        return trouble

    def refusal(self, trouble: Trouble, error: Exception) -> StoreUnavailable:
        """The refusal of all waiting callers. It is reported to operators, too."""
        refusal = trouble.refusal(error)
        self.tell(refusal)
        return refusal

    def tell(self, refusal: StoreUnavailable) -> None:
        """Reports to operators why all waiting callers are refused."""
        self._watch.refused(refusal)

    def _refusal(self, trouble: Trouble, error: Error) -> Exception:
        if trouble is DAMAGE:
            return StoredDataDamaged(f"stored data cannot be read: {error}")
        return error if trouble is UNKNOWN else self.refusal(trouble, error)

    def _refuse(self, refusal: StoreUnavailable) -> None:
        self.close()
        self._refused = refusal
        self._refused_until = time.monotonic() + PAUSE
        self._watch.refused(refusal)

    def close(self) -> None:
        """Closes the connection, if there is one."""
        self._close(lost=False)

    def _close(self, *, lost: bool) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._watch.closed(lost=lost)
