"""Names that were folded in another way are found and folded again, once."""

import pytest

from application.draft import Submission
from application.handler import CommandHandler
from application.ports import Origin
from infrastructure.readmodel import refolding
from infrastructure.readmodel.refolding import fold_names_again
from tests.support.database import execute, select
from tests.support.given import OTHER_ID, create
from tests.support.stores import DIGESTS, open_store

_NAMES = "SELECT name_folded FROM workflows ORDER BY id"


@pytest.mark.parametrize("batch", [1, 2000])
def test_names_of_an_older_folding_are_folded_again_once(
    database: str, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(refolding, "BATCH", batch)
    creations = [create(name="\u0130stanbul"), create(id=OTHER_ID, name="hourly")]
    with open_store(database) as store:
        CommandHandler(store.store, DIGESTS).handle(
            [Submission(command, Origin("tests", "request")) for command in creations]
        )
    execute(database, "UPDATE workflows SET name_folded = lower(name)")
    execute(database, "COMMENT ON COLUMN workflows.name_folded IS 'another'")
    assert fold_names_again(database) == 1
    assert select(database, _NAMES) == [("istanbul",), ("hourly",)]
    execute(database, "UPDATE workflows SET name_folded = 'not read'")
    assert fold_names_again(database) == 0
