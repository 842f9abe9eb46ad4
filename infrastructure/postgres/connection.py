"""Connections on which nothing waits for ever, neither the client nor the server."""

from collections.abc import Iterable
from typing import Any

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

TRANSACTION_WITHIN = 3.0  # seconds: the longest that a lost client can hold the append lock
ANSWER_WITHIN = 3.5  # seconds: the longest that a client waits for a server that fell silent

_NETWORK: dict[str, Any] = {
    "application_name": "workflows",
    "connect_timeout": 2,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 4000,
}
_GUARDS = (
    f"SET transaction_timeout = '{TRANSACTION_WITHIN}s'",
    f"SET lock_timeout = '{TRANSACTION_WITHIN}s'",
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
        """Waits for an answer, at most ANSWER_WITHIN seconds; then the connection is closed."""
        try:
            return super().wait(gen, interval, timeout or ANSWER_WITHIN)
        except OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # Whoever waits next on it shall not wait again.
            raise


def with_network_guards(dsn: str) -> str:
    """The DSN with timeouts that notice a dead network; what the DSN says itself stands."""
    return make_conninfo(**(_NETWORK | conninfo_to_dict(dsn)))


def configure(connection: Connection[Any], *, keeps_plans: bool = False) -> None:
    """Sets what bounds a session on the server, and whether it plans anew for other values."""
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
