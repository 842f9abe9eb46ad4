"""Whether the database can do what the service needs: its statements, and a durable write."""

from collections.abc import Sequence
from time import monotonic
from uuid import UUID, uuid4

from application.followers import FollowerState
from application.ports import StoreUnavailable
from infrastructure.eventstore.horizon import Horizon
from infrastructure.eventstore.statements import LOAD_LEDGER
from infrastructure.eventstore.store import APPEND, LOAD_STREAMS
from infrastructure.followers.places import follower_states
from infrastructure.postgres.connection import BoundedConnection
from infrastructure.postgres.session import Session
from infrastructure.postgres.watch import DatabaseWatch
from infrastructure.readmodel.views import GET

FOLLOWERS_EVERY = 5.0  # seconds between two looks at the followers

# What an append needs: the rights and the locks to write, and a commit that is acknowledged.
_WRITE = """
    LOCK TABLE workflow_events, workflows, command_ledger IN ROW EXCLUSIVE MODE;
    UPDATE readiness_probe SET probed_at = now()
"""
# The comment tells a reader of the database's log that nothing is appended.
_APPEND_NOTHING = f"/* readiness */ {APPEND}"
_NOTHING = (None, None, b"", None, None, None)
_NOBODY = str(UUID(int=0))


class Probe:
    """Tries the statements of the service on a session of its own, and changes no workflow."""

    def __init__(self, session: Session, horizon: Horizon, watch: DatabaseWatch) -> None:
        self._session = session
        self._horizon = horizon
        self._watch = watch
        self._look_at = 0.0
        self.followers: Sequence[FollowerState] = ()
        """The followers of the feed, as they were some seconds ago."""

    def obstacle(self) -> StoreUnavailable | None:
        """Why the service cannot do its work; None if it can."""
        try:
            self._session.read(self._try)
        except StoreUnavailable as refused:
            return refused
        except Exception as fault:  # noqa: BLE001 - whatever it is, the service cannot work
            return StoreUnavailable(why=f"{type(fault).__name__}: {fault}", lasting=True)
        self._watch.well()
        return None

    def _try(self, connection: BoundedConnection) -> None:
        nobody = "{" + _NOBODY + "}"
        seen = (self._horizon.feed.epoch, self._horizon.position)
        connection.execute(GET, (nobody,))
        connection.execute(LOAD_STREAMS, (nobody,))
        connection.execute(LOAD_LEDGER, ("{}",))
        connection.execute(_APPEND_NOTHING, (str(uuid4()), *seen, "{}", "{}", *_NOTHING))
        connection.execute(_WRITE)
        if monotonic() >= self._look_at:
            self._look_at = monotonic() + FOLLOWERS_EVERY
            self.followers = follower_states(connection)
