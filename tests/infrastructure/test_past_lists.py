"""Lists of the past where the rows cannot be believed: their workflows are folded from events."""

from collections.abc import Iterator

import pytest

from application.history.questions import ListAsOfRequest
from application.history.results import ListThen
from domain.filters import Filters
from tests.support.database import execute
from tests.support.given import CATALOGUE, OTHER_ID, OWNER, create, delete
from tests.support.histories import OpenHistories, open_histories


@pytest.fixture
def histories(database: str) -> Iterator[OpenHistories]:
    with open_histories(database) as opened:
        yield opened


def test_a_deleted_workflow_is_not_listed_if_its_row_is_of_another_release(
    histories: OpenHistories,
) -> None:
    histories.record(create(), create(id=OTHER_ID), delete())
    execute(histories.open.dsn, "UPDATE workflows SET shape = shape + 1")

    asked = ListAsOfRequest.checked(OWNER, None, Filters(), "", CATALOGUE)
    found = histories.ask(asked)

    assert isinstance(found, ListThen)
    assert [listed.id for listed in found.workflows] == [OTHER_ID]
