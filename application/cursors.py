"""Where a page of a list ended: opaque to clients, signed, bound to user and filters."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import astuple
from hashlib import sha256

from domain.errors import InvalidFields, Violation
from domain.filters import Filters

_POSITION_BYTES = 8
_SIGNATURE_BYTES = 16


class Cursors:
    """Makes and reads cursors with a secret that all processes on one database share."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def write(self, user_id: str, filters: Filters, position: int) -> str:
        """The cursor of a page that ended with the workflow created at this position."""
        place = position.to_bytes(_POSITION_BYTES, "big")
        signed = place + self._signature(user_id, filters, place)
        return urlsafe_b64encode(signed).rstrip(b"=").decode()

    def read(self, cursor: str, user_id: str, filters: Filters) -> int:
        """The position in a cursor; raises InvalidFields unless it is one of ours for this list."""
        place, signature = self._parts(cursor)
        if hmac.compare_digest(signature, self._signature(user_id, filters, place)):
            return int.from_bytes(place, "big")
        raise InvalidFields(
            [
                Violation(
                    "cursor",
                    "does not belong to this list; the cursor of the page before,"
                    " with the same user and filters, is accepted",
                )
            ]
        )

    def _parts(self, cursor: str) -> tuple[bytes, bytes]:
        try:
            signed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            return b"", b""
        if urlsafe_b64encode(signed).rstrip(b"=").decode() != cursor:
            return b"", b""  # Another spelling of the same bytes is not what we gave out.
        return signed[:_POSITION_BYTES], signed[_POSITION_BYTES:]

    def _signature(self, user_id: str, filters: Filters, place: bytes) -> bytes:
        bound = "\0".join(map(str, (user_id, *astuple(filters)))).encode()
        return hmac.digest(self._secret, place + bound, sha256)[:_SIGNATURE_BYTES]
