"""Connections with bounded waits on both sides: neither client nor server waits for ever."""

from collections.abc import Iterable
from time import monotonic
from typing import Any

from psycopg import Connection, Error
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import _WaitTimeout
from psycopg.pq import TransactionStatus

from infrastructure.postgres.progress import bytes_moved

TRANSACTION_WITHIN = 3.0  # seconds: the longest that a lost client can hold the append lock
LOCK_WITHIN = 2.8  # seconds: a wait for a lock ends before the transaction, with the session whole
ANSWER_WITHIN = 3.5  # seconds: the longest that a client waits for a server that fell silent
SLOW_WITHIN = 30.0  # seconds: the longest that a client waits while bytes come or go
LOOK_EVERY = 1.0  # seconds: how often a slow line is looked at

_NETWORK: dict[str, Any] = {
    "application_name": "workflows",
    "connect_timeout": 2,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 4000,
    # Of several hosts, use the one that takes writes; never a demoted one.
    "target_session_attrs": "read-write",
}
_ALWAYS: dict[str, Any] = {"client_encoding": "UTF8"}
_GUARDS = (
    f"SET transaction_timeout = '{TRANSACTION_WITHIN}s'",
    f"SET lock_timeout = '{int(LOCK_WITHIN * 1000)}ms'",
    f"SET idle_in_transaction_session_timeout = '{TRANSACTION_WITHIN}s'",
    "SET synchronous_commit = on",
    "SET timezone = 'UTC'",
    # Plans are kept while tables grow: one made on a small table must not scan a large one.
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
)


class BoundedConnection(Connection[Any]):
    """A connection that gives up on a server from which nothing comes back."""

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        """Waits for an answer, at most ANSWER_WITHIN seconds; then the connection is closed.

        While bytes come or go, as they do on a slow line, it waits up to SLOW_WITHIN seconds.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        give_up_at = monotonic() + SLOW_WITHIN
        within, looked, moved = ANSWER_WITHIN - LOOK_EVERY, False, None
        while True:
            try:
                return super().wait(gen, interval, within)
            except _WaitTimeout:  # The generator did not end: wait for it again.
                before, moved = moved, bytes_moved(self.pgconn.socket)
                stuck = looked and (moved is None or moved == before)
                if stuck or monotonic() > give_up_at:
                    self._give_up()
                    raise
                within, looked = LOOK_EVERY, True
            except Error as error:
                _drop_values(error)
                raise

    def _give_up(self) -> None:
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            self.pgconn.finish()  # Nobody may wait on it again.


def _drop_values(error: Error) -> None:
    """Leaves the sentence of a server's error: its details may hold what users keep."""
    if error.diag.message_detail or error.diag.context:
        error.args = (f"{error.diag.message_primary} (SQLSTATE {error.sqlstate})",)


def with_network_guards(dsn: str) -> str:
    """The DSN with time-outs that notice a dead network; its other parameters do not change."""
    return make_conninfo(**(_NETWORK | conninfo_to_dict(dsn) | _ALWAYS))


def configure(connection: Connection[Any], *, keeps_plans: bool = False) -> None:
    """Sets what bounds a session on the server, and whether other values get new plans."""
    mode = "force_generic_plan" if keeps_plans else "auto"
    connection.execute("; ".join((*_GUARDS, f"SET plan_cache_mode = {mode}")))


def connect(dsn: str, *, keeps_plans: bool = False) -> BoundedConnection:
    """A connection in autocommit mode, bounded on both ends. Raises OperationalError."""
    connection = BoundedConnection.connect(dsn, autocommit=True)
    configure(connection, keeps_plans=keeps_plans)
    return connection


def array_of(ids: Iterable[str]) -> str:
    """Ids as the text of an SQL array; adapting a Python list element by element is slow."""
    return "{" + ",".join(ids) + "}"
