"""Proofs of events and checkpoints, as an auditor asks for them."""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from application.history.proofs import CheckpointNow, EventProof, NotProvable
from application.history.questions import CheckpointRequest, HistoryRequest, ProofRequest, Subject
from application.history.results import HistoryPage
from application.ports import StoredDataDamaged
from infrastructure.tlog.checkpoints import CHECKPOINT, Checkpoint
from infrastructure.tlog.notes import Note
from infrastructure.tlog.policy import Policy
from infrastructure.tlog.proofs import includes, leaf_hash
from tests.support.database import execute
from tests.support.histories import OpenHistories, open_histories
from tests.support.proofs import KeptLog, write


@pytest.fixture
def kept(database: str, tmp_path: Path) -> KeptLog:
    return KeptLog(database, tmp_path)


@pytest.fixture
def histories(database: str, kept: KeptLog) -> Iterator[OpenHistories]:
    with open_histories(database, kept.logs) as opened:
        yield opened


def proof_of(histories: OpenHistories, position: int) -> EventProof:
    found = histories.ask(ProofRequest(position))
    assert isinstance(found, EventProof)
    return found


def test_a_proof_leads_from_the_leaf_to_a_checkpoint_that_meets_the_policy(
    histories: OpenHistories, kept: KeptLog
) -> None:
    write(histories.open, 150, events=2)
    kept.follow()
    kept.cosign()
    write(histories.open, 1)
    kept.follow()

    for position in (1, 256, 257, 300):
        found = proof_of(histories, position)
        head, _, note = found.inclusion.proof.partition("\n\n")
        form, index, *path = head.split("\n")
        signed = Note.parse(note)
        checkpoint = Checkpoint.parse(signed.text)
        assert (form, index) == ("c2sp.org/tlog-proof@v1", f"index {position - 1}")
        assert Policy.parse((kept.folder / "policy").read_text()).met_by(signed)
        assert (checkpoint.size, found.place.position) == (300, 300)
        assert includes(
            leaf_hash(found.inclusion.text),
            position - 1,
            checkpoint.size,
            [b64decode(step) for step in path],
            checkpoint.root,
        )
        assert found.entry.event.position == position


def test_the_newest_checkpoint_comes_with_those_who_cosigned_it(
    histories: OpenHistories, kept: KeptLog
) -> None:
    write(histories.open, 3)
    kept.follow()
    kept.cosign()

    now = histories.ask(CheckpointRequest())

    assert isinstance(now, CheckpointNow)
    assert (now.signed.size, now.signed.cosigned_by, now.place.position) == (
        3,
        ["witness.example"],
        3,
    )
    assert Policy.parse(now.signed.policy).met_by(Note.parse(now.signed.note))


def test_a_history_tells_how_far_the_newest_checkpoint_goes(
    histories: OpenHistories, kept: KeptLog
) -> None:
    [workflow_id] = write(histories.open, 1, events=2)
    asked = HistoryRequest(Subject(workflow_id, ""), False, frozenset(), 0, "")
    before = histories.ask(asked)
    kept.follow()
    after = histories.ask(asked)

    assert isinstance(before, HistoryPage)
    assert isinstance(after, HistoryPage)
    assert (before.checkpoint_size, after.checkpoint_size) == (0, 2)


def test_what_no_checkpoint_covers_is_not_proved(histories: OpenHistories, kept: KeptLog) -> None:
    write(histories.open, 2)
    with pytest.raises(NotProvable, match="No checkpoint is signed yet"):
        histories.ask(CheckpointRequest())
    kept.follow()

    with pytest.raises(NotProvable, match="covers position 3"):
        proof_of(histories, 3)


def test_an_event_that_is_not_the_signed_one_is_not_proved(
    histories: OpenHistories, kept: KeptLog
) -> None:
    write(histories.open, 2)
    kept.follow()
    execute(
        histories.open.dsn,
        "SET session_replication_role = replica;"
        " UPDATE workflow_events SET topic = 'deleted.v1' WHERE notification_id = 2",
    )

    with pytest.raises(StoredDataDamaged):
        proof_of(histories, 2)


def test_a_damaged_checkpoint_is_damage_and_no_history_depends_on_it(
    histories: OpenHistories, kept: KeptLog
) -> None:
    [workflow_id] = write(histories.open, 1)
    kept.follow()
    (kept.folder / CHECKPOINT).write_text("no note")

    with pytest.raises(StoredDataDamaged, match="log of checkpoints"):
        histories.ask(CheckpointRequest())
    page = histories.ask(HistoryRequest(Subject(workflow_id, ""), True, frozenset(), 0, ""))

    assert isinstance(page, HistoryPage)
    assert page.checkpoint_size == 0
