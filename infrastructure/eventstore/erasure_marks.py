"""Whether content was erased: so that a process forgets what it holds in memory."""

from infrastructure.postgres.session import Session

_MARK = """
    SELECT is_anyone_fenced, (SELECT max(number) FROM erasures WHERE receipt IS NOT NULL)
    FROM feed_epoch
"""


class PostgresErasureMarks:
    """Erasures on a session of its own, as one reader notices them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._last: int | None = None

    def any_since_last(self) -> bool:
        """Whether one is under way, or ended since the last call. Raises StoreUnavailable."""
        [(under_way, number)] = self._session.read(
            lambda connection: connection.execute(_MARK).fetchall()
        )
        last, self._last = self._last, number
        return bool(under_way) or number != last
