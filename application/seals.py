"""Sealed places: opaque cursors that only this service can have made.

A seal holds a few numbers and the feed in which they count. It is signed, together with the
question that it belongs to, so that it continues that question and no other.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from struct import Struct

from application.ports import Feed
from domain.errors import InvalidFields, Violation

_SIGNATURE_BYTES = 16
_OTHER_FEED = (
    "was given out before the database was restored or replaced; begin the list again without one"
)


class Seals:
    """Makes and reads the cursors of one kind of question.

    All processes on one database share the secret.
    """

    def __init__(self, form: "Form", secret: bytes, current_feed: Callable[[], Feed]) -> None:
        """`current_feed` returns the feed to which today's positions belong."""
        self._form = form
        self._secret = secret
        self._current_feed = current_feed

    def write(self, question: str, *numbers: int) -> str:
        """The cursor that continues a question at a place; the form says how many numbers it has.

        `question` names all that must be the same when the cursor comes back.
        """
        feed = self._current_feed()
        place = self._form.place.pack(feed.number, feed.epoch, *numbers)
        return urlsafe_b64encode(place + self._signature(question, place)).rstrip(b"=").decode()

    def read(self, cursor: str, question: str) -> tuple[int, ...]:
        """The numbers in a cursor.

        Raises InvalidFields unless this service made it, for this question and for the current
        feed.
        """
        signed = self._form.decoded(cursor)
        place, signature = signed[: self._form.place.size], signed[self._form.place.size :]
        if not hmac.compare_digest(signature, self._signature(question, place)):
            raise InvalidFields([Violation("cursor", self._form.of_another)])
        number, epoch, *numbers = self._form.place.unpack(place)
        if Feed(epoch, number) != self._current_feed():
            raise InvalidFields([Violation("cursor", _OTHER_FEED)])
        return tuple(numbers)

    def _signature(self, question: str, place: bytes) -> bytes:
        return hmac.digest(self._secret, place + question.encode(), sha256)[:_SIGNATURE_BYTES]


class Form:
    """The form of the cursors of one kind of question."""

    def __init__(self, numbers: int, of_another: str) -> None:
        """`numbers` says how many a cursor holds; `of_another` what is wrong with another one."""
        self.place = Struct(f">HQ{numbers}Q")  # feed number, epoch, the numbers
        self.of_another = of_another
        self._length = -(-(self.place.size + _SIGNATURE_BYTES) * 4 // 3)  # without padding

    def complaint(self, cursor: str) -> str | None:
        """What is wrong with the form of a cursor, whatever it belongs to; None if nothing is."""
        return None if not cursor or self.decoded(cursor) else self.of_another

    def decoded(self, cursor: str) -> bytes:
        """The bytes in a cursor; empty if this service cannot have made it."""
        if len(cursor) != self._length:
            return b""
        try:
            signed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            return b""
        # The same bytes in another base64 spelling: this service did not write it.
        return signed if urlsafe_b64encode(signed).rstrip(b"=").decode() == cursor else b""
