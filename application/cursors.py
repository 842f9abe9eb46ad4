"""The position at which a page of a list ended, sealed: bound to user, filters and feed."""

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter

from application.ports import Feed
from application.seals import Form, Seals
from domain.filters import Filters

_FORM = Form(
    1,
    "does not belong to this list; the cursor of the page before, with the same user and filters,"
    " is accepted",
)
form = _FORM.complaint

_values = attrgetter(*[field.name for field in fields(Filters)])


class Cursors:
    """Makes and reads cursors with a secret that all processes on one database share."""

    def __init__(self, secret: bytes, current_feed: Callable[[], Feed]) -> None:
        """`current_feed` returns the feed to which the positions of the current rows belong."""
        self._seals = Seals(_FORM, secret, current_feed)

    def write(self, user_id: str, filters: Filters, position: int) -> str:
        """The cursor of a page that ended with the workflow created at this position."""
        return self._seals.write(question(user_id, filters), position)

    def read(self, cursor: str, user_id: str, filters: Filters) -> int:
        """The position in a cursor.

        Raises InvalidFields unless this service made it, for this list and for the current feed.
        """
        [position] = self._seals.read(cursor, question(user_id, filters))
        return position


def question(user_id: str, filters: Filters) -> str:
    """All that must be the same on each page of a list."""
    return "\0".join(map(str, (user_id, *_values(filters))))
