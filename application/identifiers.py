"""Ids of new workflows: each tells the bucket of its owner.

The last 12 bits of an id are a digest of the owner's user id. So one day every method can find the
place of a workflow by its id alone, or by its user alone. Ids of before need nothing.
"""

from hashlib import sha256

BUCKET_DIGITS = 3  # hexadecimal digits: 12 bits, 4096 buckets


def bucket_of(user_id: str) -> str:
    """The bucket of a user, as it stands at the end of an id."""
    return sha256(user_id.encode()).hexdigest()[:BUCKET_DIGITS]


def owned(unique_id: str, user_id: str) -> str:
    """A unique id, a UUID of version 7 as text, with the owner's bucket in its last 12 bits."""
    return unique_id[:-BUCKET_DIGITS] + bucket_of(user_id)
