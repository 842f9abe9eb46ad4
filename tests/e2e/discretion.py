"""What no refusal may do: say more than it should, or more than a status can carry."""

from google.rpc import error_details_pb2 as details

from tests.support.client import Refused

INTERNALS = ("psycopg", "class", "/", "Traceback", "Error", "0x", ".py", "postgres", "grpc")
MAX_MESSAGE = 1024  # bytes
MAX_STATUS = 6 * 1024  # bytes: larger ones lose their code on the way


def assert_discreet(refusal: Refused) -> None:
    """The refusal is short, says a sentence, and tells nothing of the inside."""
    texts = [refusal.message]
    texts += [v.description for v in refusal.detail(details.BadRequest).field_violations]
    assert all(texts)
    assert not [word for word in INTERNALS for text in texts if word in text]
    assert len(refusal.message.encode()) <= MAX_MESSAGE
    assert sum(len(value) for value in refusal.trailing.values()) <= MAX_STATUS
