"""Ids of new workflows tell the bucket of their owner, and remain UUIDs that differ."""

from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from uuid import RFC_4122, UUID

from hypothesis import given as for_all
from hypothesis import strategies as st
from workflows_testing import strategies

from application.identifiers import AT_ONCE, RANDOM_BYTES, NewIds, bucket_of, workflow_id
from domain import fields

NOW = datetime(2026, 11, 25, 12, 0, 0, 123_000, UTC)
RANDOMNESS = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


@for_all(strategies.owners(), RANDOMNESS)
def test_an_id_is_a_uuid_of_version_7_and_ends_in_the_bucket_of_its_owner(
    user_id: str, randomness: bytes
) -> None:
    made = workflow_id(user_id, NOW, randomness)

    assert fields.workflow_id(made) is None
    assert (UUID(made).version, UUID(made).variant) == (7, RFC_4122)
    assert UUID(made).int >> 80 == round(NOW.timestamp() * 1000)
    assert made[-3:] == bucket_of(user_id)


def test_ids_of_one_owner_differ() -> None:
    new_id = NewIds(token_bytes)
    made = {new_id("alice", NOW) for _ in range(1000)}

    assert len(made) == 1000


def test_each_id_takes_random_bytes_of_its_own() -> None:
    drawn = [bytes([n]) * RANDOM_BYTES for n in range(AT_ONCE)]
    draws = iter([b"".join(drawn), bytes(RANDOM_BYTES * AT_ONCE)])
    new_id = NewIds(lambda size: next(draws)[:size])
    made = {new_id("alice", NOW) for _ in range(AT_ONCE)}

    assert made == {workflow_id("alice", NOW, each) for each in drawn}
    assert new_id("alice", NOW) == workflow_id("alice", NOW, bytes(RANDOM_BYTES))


@for_all(RANDOMNESS, RANDOMNESS)
def test_a_later_id_sorts_behind_an_earlier_one(one: bytes, other: bytes) -> None:
    later = NOW + timedelta(milliseconds=1)

    assert workflow_id("alice", NOW, one) < workflow_id("alice", later, other)


def test_buckets_are_the_same_for_ever() -> None:
    assert [bucket_of(user) for user in ("alice", "bob", "", "Zoë")] == ["2bd", "81b", "e3b", "c6a"]
