"""What all that these tests did to the shared services has left behind."""

from tests.support.client import Client
from tests.support.records import assert_consistent


def test_what_is_stored_agrees_with_itself(client: Client, user: str, shared_database: str) -> None:
    client.increment(client.created(user), "job")
    assert_consistent(shared_database)
