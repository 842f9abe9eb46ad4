"""Ids of new workflows: each contains the bucket of its owner.

The last 12 bits of an id are a digest of the owner's user id. So a later release can find the place
of a workflow by its id alone, or by its user alone. Older ids stay valid.
"""

from datetime import datetime
from hashlib import sha256

RANDOM_BYTES = 8
BUCKET_DIGITS = 3  # hexadecimal digits: 12 bits, 4096 buckets


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
    variant = f"{0x8 | randomness[0] & 0x3:x}"
    return (
        f"{time[:8]}-{time[8:]}-7{drawn[1:4]}-{variant}{drawn[4:7]}-{drawn[7:16]}"
        f"{bucket_of(user_id)}"
    )
