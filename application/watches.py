"""What is asked of a watch, the cursor that resumes it, and why the service ends one."""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from application.ports import Feed
from domain.errors import InvalidFields, Violation
from domain.fields import Check, optional_text, violations, workflow_id

FROM_THE_END = -1
MAX_POSITION = 2**63 - 1
MAX_FEEDS = 64
"""How many feeds a cursor can name; there is one today."""

_COUNT = struct.Struct(">H")
_PAIR = struct.Struct(">HQQ")  # feed number, epoch, position
_SIGNATURE_BYTES = 16
_OTHER_WATCH = (
    "does not belong to this watch; the cursor of its last response, with the same filter, is"
    " accepted"
)
_OTHER_FEED = (
    "was given out before the database was restored or replaced; begin again at a position"
)


@dataclass(frozen=True, slots=True)
class WatchFilter:
    """What events must match: all that is set. Empty means not set."""

    user_id: str = ""
    workflow_id: str = ""
    types: frozenset[str] = frozenset()

    @property
    def question(self) -> str:
        """All that must be the same when a watch is resumed."""
        return "\0".join(["watch", self.user_id, self.workflow_id, *sorted(self.types)])


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """Asks for the events after a position or a cursor; FROM_THE_END for those to come."""

    filter: WatchFilter
    after: int
    cursor: str

    @classmethod
    def checked(
        cls, wanted: WatchFilter, after: int, cursor: str, refused: Sequence[Check] = ()
    ) -> "WatchRequest":
        """Raises InvalidFields, which names every bad field; `refused` are complaints of before."""
        checks = [*refused, ("filter.user_id", optional_text(wanted.user_id))]
        if wanted.workflow_id:
            checks.append(("filter.workflow_id", workflow_id(wanted.workflow_id)))
        if not FROM_THE_END <= after <= MAX_POSITION:
            checks.append(("after", f"is {after}; a position, 0 or -1 is accepted"))
        if cursor and not _decoded(cursor):
            checks.append(("cursor", _OTHER_WATCH))
        if found := violations(checks):
            raise InvalidFields(found)
        return cls(wanted, after, cursor)


class WatchCursors:
    """Makes and reads the cursors of watches: each names a position in every feed.

    All processes on one database share the secret.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def write(self, question: str, feed: Feed, position: int) -> str:
        """The cursor that resumes a watch after a position."""
        places = _COUNT.pack(1) + _PAIR.pack(feed.number, feed.epoch, position)
        return urlsafe_b64encode(places + self._signature(question, places)).rstrip(b"=").decode()

    def read(self, cursor: str, question: str, current: Feed) -> int:
        """The position of a cursor in the current feed.

        Raises InvalidFields unless this service made it, for this watch and for this feed.
        """
        signed = _decoded(cursor)
        places, signature = signed[:-_SIGNATURE_BYTES], signed[-_SIGNATURE_BYTES:]
        if not signed or not hmac.compare_digest(signature, self._signature(question, places)):
            raise InvalidFields([Violation("cursor", _OTHER_WATCH)])
        for number, epoch, position in _PAIR.iter_unpack(places[_COUNT.size :]):
            if Feed(epoch, number) == current:
                return int(position)
        raise InvalidFields([Violation("cursor", _OTHER_FEED)])

    def _signature(self, question: str, places: bytes) -> bytes:
        return hmac.digest(self._secret, places + question.encode(), sha256)[:_SIGNATURE_BYTES]


def _decoded(cursor: str) -> bytes:
    """The bytes in a cursor; empty if this service cannot have made it."""
    try:
        signed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        [count] = _COUNT.unpack_from(signed)
    except (ValueError, struct.error):
        return b""
    whole = len(signed) == _COUNT.size + count * _PAIR.size + _SIGNATURE_BYTES
    # The same bytes in another base64 spelling: this service did not write it.
    spelled = urlsafe_b64encode(signed).rstrip(b"=").decode() == cursor
    return signed if whole and spelled and 0 < count <= MAX_FEEDS else b""


class WatchEnded(Exception):
    """The service ends a watch; `cursor` resumes it, here or at another server process.

    It is empty if the watch had not begun.
    """

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        super().__init__()


class WatchTooSlow(WatchEnded):
    """The client reads more slowly than events come."""


class WatchStopped(WatchEnded):
    """The service stops."""


class FeedReplaced(Exception):
    """Another epoch began under a watch: positions mean something else now."""


class TooManyWatches(Exception):
    """This caller, or the server process, has as many watches as it may have."""


def beyond_the_end(end: int) -> InvalidFields:
    """The refusal of a watch after a position that does not exist yet."""
    complaint = f"is beyond the end of the feed; at most {end}, or -1 for the end, is accepted"
    return InvalidFields([Violation("after", complaint)])
