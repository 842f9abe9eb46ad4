"""Ids of new workflows: each contains the bucket of its owner.

The last 12 bits of an id are a digest of the owner's user id. So a later release can find the place
of a workflow by its id alone, or by its user alone. Older ids stay valid.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

RANDOM_BYTES = 8
AT_ONCE = 64
"""How many ids' randomness is drawn at once: one call for many costs little more than for one."""
BUCKET_DIGITS = 3  # hexadecimal digits: 12 bits, 4096 buckets


_VARIANTS = "89ab"


@lru_cache(maxsize=4096)
def bucket_of(user_id: str) -> str:
    """The bucket of a user: the last digits of each of the user's ids."""
    return sha256(user_id.encode()).hexdigest()[:BUCKET_DIGITS]


def workflow_id(user_id: str, moment: datetime, randomness: bytes) -> str:
    """A UUID of version 7 as text, with the owner's bucket in its last 12 bits.

    It begins with the time in milliseconds, so that ids made at the same time are neighbours in an
    index. `randomness` is RANDOM_BYTES random bytes.
    """
    time = f"{int(moment.timestamp() * 1000):012x}"
    drawn = randomness.hex()
    variant = _VARIANTS[randomness[0] & 3]
    return (
        f"{time[:8]}-{time[8:]}-7{drawn[1:4]}-{variant}{drawn[4:7]}-{drawn[7:16]}"
        f"{bucket_of(user_id)}"
    )


class NewIds:
    """Makes ids of new workflows. Safe on any threads."""

    def __init__(self, draw: Callable[[int], bytes]) -> None:
        """`draw` returns so many random bytes."""
        self._draw = draw
        self._drawn: list[bytes] = []

    def __call__(self, user_id: str, moment: datetime) -> str:
        """The id of a workflow that this user creates at this moment."""
        try:
            randomness = self._drawn.pop()
        except IndexError:
            many = self._draw(RANDOM_BYTES * AT_ONCE)
            ends = range(RANDOM_BYTES, len(many), RANDOM_BYTES)
            self._drawn += [many[end : end + RANDOM_BYTES] for end in ends]
            randomness = many[:RANDOM_BYTES]
        return workflow_id(user_id, moment, randomness)
