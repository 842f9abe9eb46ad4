"""The position at which a page ended: opaque, signed, bound to user, filters and feed."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import fields
from hashlib import sha256
from operator import attrgetter
from struct import Struct

from application.ports import Feed
from domain.errors import InvalidFields, Violation
from domain.filters import Filters

_PLACE = Struct(">HQQ")  # feed number, epoch, position
_SIGNATURE_BYTES = 16
_LENGTH = -(-(_PLACE.size + _SIGNATURE_BYTES) * 4 // 3)  # characters, without padding
_OTHER_LIST = (
    "does not belong to this list; the cursor of the page before, with the same user and filters,"
    " is accepted"
)
_OTHER_FEED = (
    "was given out before the database was restored or replaced; begin the list again without one"
)

_values = attrgetter(*[field.name for field in fields(Filters)])


class Cursors:
    """Makes and reads cursors with a secret that all processes on one database share."""

    def __init__(self, secret: bytes, current_feed: Callable[[], Feed]) -> None:
        """`current_feed` returns the feed to which the positions of the current rows belong."""
        self._secret = secret
        self._current_feed = current_feed

    def write(self, user_id: str, filters: Filters, position: int) -> str:
        """The cursor of a page that ended with the workflow created at this position."""
        feed = self._current_feed()
        place = _PLACE.pack(feed.number, feed.epoch, position)
        signed = place + self._signature(user_id, filters, place)
        return urlsafe_b64encode(signed).rstrip(b"=").decode()

    def read(self, cursor: str, user_id: str, filters: Filters) -> int:
        """The position in a cursor.

        Raises InvalidFields unless this service made it, for this list and for the current feed.
        """
        signed = _decoded(cursor)
        place, signature = signed[: _PLACE.size], signed[_PLACE.size :]
        if not hmac.compare_digest(signature, self._signature(user_id, filters, place)):
            raise InvalidFields([Violation("cursor", _OTHER_LIST)])
        number, epoch, position = _PLACE.unpack(place)
        if Feed(epoch, number) != self._current_feed():
            raise InvalidFields([Violation("cursor", _OTHER_FEED)])
        return int(position)

    def _signature(self, user_id: str, filters: Filters, place: bytes) -> bytes:
        bound = "\0".join(map(str, (user_id, *_values(filters)))).encode()
        return hmac.digest(self._secret, place + bound, sha256)[:_SIGNATURE_BYTES]


def form(cursor: str) -> str | None:
    """What is wrong with the form of a cursor, whatever list it belongs to; None if nothing is."""
    return None if not cursor or _decoded(cursor) else _OTHER_LIST


def _decoded(cursor: str) -> bytes:
    """The bytes in a cursor; empty if this service cannot have made it."""
    if len(cursor) != _LENGTH:
        return b""
    try:
        signed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        return b""
    # The same bytes in another base64 spelling: this service did not write it.
    return signed if urlsafe_b64encode(signed).rstrip(b"=").decode() == cursor else b""
