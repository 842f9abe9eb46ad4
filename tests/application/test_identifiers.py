"""Ids of new workflows tell the bucket of their owner, and remain UUIDs that differ."""

from uuid import UUID

from hypothesis import given as for_all
from uuid_utils import uuid7
from workflows_testing import strategies

from application.identifiers import bucket_of, owned
from domain import fields


@for_all(strategies.owners())
def test_an_id_stays_a_uuid_and_ends_in_the_bucket_of_its_owner(user_id: str) -> None:
    unique = str(uuid7())
    made = owned(unique, user_id)
    assert fields.workflow_id(made) is None
    assert UUID(made).version == 7
    assert made[:-3] == unique[:-3]
    assert made[-3:] == bucket_of(user_id) == bucket_of(user_id)


def test_ids_of_one_owner_differ() -> None:
    assert len({owned(str(uuid7()), "alice") for _ in range(1000)}) == 1000


def test_buckets_are_the_same_for_ever() -> None:
    assert [bucket_of(user) for user in ("alice", "bob", "", "Zoë")] == ["2bd", "81b", "e3b", "c6a"]
