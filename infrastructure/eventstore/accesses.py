"""The access log on PostgreSQL."""

from collections.abc import Sequence

from psycopg import Error

from application.accesses import Access
from application.ports import AppendRefused, StoredDataDamaged
from infrastructure.postgres.session import Session

_RECORD = """
    SELECT record_accesses_v1(
        %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[]
    )
"""


class PostgresAccessLog:
    """An AccessLog on a session of its own, because those that read histories cannot write."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(self, accesses: Sequence[Access]) -> None:
        """See AccessLog. After a lost connection, an access may be recorded twice."""
        subjects = [each.subject for each in accesses]
        columns = (
            [each.actor for each in accesses],
            [each.caller for each in accesses],
            [each.method for each in accesses],
            [each.user_id for each in subjects],
            [each.workflow_id or None for each in subjects],
            [each.position for each in subjects],
            [each.request_id for each in accesses],
        )
        try:
            self._session.read(lambda connection: connection.execute(_RECORD, columns))
        except (Error, StoredDataDamaged) as error:
            raise AppendRefused(f"the access log refused an entry: {error}") from error
