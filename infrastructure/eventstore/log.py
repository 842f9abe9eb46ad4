"""The event log as the eventsourcing library sees it: our stored form behind its application.

The library reads; it never writes. Its own insert can commit and still raise, and repeats blindly
after a lost connection, so events are appended in a transaction of ours (see store.py).
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    InfrastructureFactory,
    InterfaceError,
    JSONTranscoder,
    Mapper,
    OperationalError,
    StoredEvent,
    Transcoder,
)
from eventsourcing.postgres import (
    ConnectionPool,
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresFactory,
)
from eventsourcing.utils import Environment, EnvType
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.ports import RecordedEvent, StoreUnavailable
from infrastructure.eventstore import stored_form
from infrastructure.eventstore.chain import verified
from infrastructure.postgres.connection import BoundedConnection, configure

VIEW = "recorded_events"
"""The view that the library's recorder reads: its `state` holds all stored bytes of an event."""

_PLACE = Struct(">qi")  # what the view puts before the state: the position, and the state's length


class StoredFormMapper(Mapper[UUID]):
    """Reads our stored form; resolves no import path."""

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """The RecordedEvent in a row of the view. Raises StoredDataDamaged."""
        packed = bytes(stored_event.state)
        position, length = _PLACE.unpack_from(packed)
        salt_at = _PLACE.size + length
        content_at = salt_at + stored_form.SALT_BYTES
        recorded = stored_form.read(
            str(stored_event.originator_id),
            stored_event.originator_version,
            position,
            stored_event.topic,
            packed[_PLACE.size : salt_at],
            (packed[salt_at:content_at], packed[content_at:]) if len(packed) > salt_at else None,
        )
        # The library returns what the mapper returns, and does not inspect it.
        return cast("DomainEventProtocol[UUID]", recorded)

    def to_stored_event(
        self,
        domain_event: DomainEventProtocol[UUID],  # noqa: ARG002 - the library's signature
    ) -> StoredEvent:
        """Refused: see the module."""
        raise PermissionError("events are appended by the event store, not by the library")


class ReadingRecorder(PostgresApplicationRecorder):
    """The library's recorder without its insert, and without its ten retries."""

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """A stream's events. Raises StoreUnavailable after one try: callers have deadlines."""
        once = PostgresApplicationRecorder.select_events.__wrapped__
        try:
            found = once(self, originator_id, gt=gt, lte=lte, desc=desc, limit=limit)
        except (OperationalError, InterfaceError) as lost:
            raise StoreUnavailable("the database does not answer") from lost
        return cast("Sequence[StoredEvent]", found)

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],  # noqa: ARG002 - the library's signature
        **kwargs: Any,  # noqa: ARG002 - the library's signature
    ) -> Sequence[int] | None:
        """Refused: see the module."""
        raise PermissionError("events are appended by the event store, not by the library")


class _Datastore(PostgresDatastore):
    """The library's datastore on a DSN of any form, with bounded waits."""

    def __init__(self, dsn: str) -> None:
        super().__init__("", "", "", "", "")
        self.pool.close()
        self.pool = ConnectionPool(
            dsn,
            connection_class=cast("type[Connection[DictRow]]", BoundedConnection),
            kwargs={"row_factory": dict_row, "autocommit": True},
            configure=configure,
            check=ConnectionPool.check_connection,  # Replays are rare: what waited may be lost.
            min_size=0,
            max_size=2,
            open=False,
            timeout=5,
        )


class _Factory(PostgresFactory):
    def __init__(self, env: Environment, datastore: _Datastore) -> None:
        InfrastructureFactory.__init__(self, env)
        self.datastore = datastore

    def application_recorder(self) -> ReadingRecorder:
        """The recorder over our view. It creates nothing: our migrations own every table."""
        return ReadingRecorder(self.datastore, events_table_name=VIEW)


class WorkflowLog(Application[UUID]):
    """Every event of every workflow, for reading."""

    name = "workflow"

    def __init__(self, dsn: str) -> None:
        """Raises StoreUnavailable if the database cannot be reached."""
        self._datastore = _Datastore(dsn)
        try:
            super().__init__()
        except (InterfaceError, OperationalError) as away:
            self._datastore.close()
            raise StoreUnavailable("the database cannot be reached") from away

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """No setting of the library comes from the process environment."""
        return Environment(name, env or {})

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        """PostgreSQL by our DSN."""
        return _Factory(env, self._datastore)

    def construct_transcoder(self) -> Transcoder:
        """Unused by our mapper, asked for by the library."""
        return JSONTranscoder()

    def construct_mapper(self) -> Mapper[UUID]:
        """Our stored form."""
        return StoredFormMapper(self.construct_transcoder())

    def history(self, workflow_id: str) -> Iterator[RecordedEvent]:
        """A workflow's events in order, each verified to follow the one before it.

        Raises StoredDataDamaged or StoreUnavailable.
        """
        events = self.events.get(UUID(workflow_id))
        return verified(cast("Iterator[RecordedEvent]", events))
