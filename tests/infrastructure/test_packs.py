"""Evidence packs: what is in them, and that no byte of any file can be changed unseen."""

import json
import tracemalloc
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from application.erasure import EraseUser, Erasures
from application.history.proofs import NotProvable
from application.ports import StoredDataDamaged
from application.receipts import parse_receipt
from domain.errors import WorkflowNotFound
from infrastructure.eventstore.erasure import PostgresErasures
from infrastructure.packs.verify import verified
from infrastructure.proof.keys import SigningKey
from infrastructure.proof.receipts import FolderReceipts
from tests.support.database import execute, value
from tests.support.given import create, delete, increment
from tests.support.packs import (
    asked,
    flipped,
    maker,
    read_pack,
    write_pack,
    zipped,
)
from tests.support.proofs import KEY, KeptLog, record, write
from tests.support.stores import OpenStore, open_store

FILES = [
    "README.md",
    "verify.py",
    "pack.json",
    "policy",
    "checkpoint",
    "descriptors.binpb",
    "events.jsonl",
    "proofs.jsonl",
    "receipts.jsonl",
    "log/checkpoint",
    "log/tile/0/000.p/9",
    "log/tile/entries/000.p/9",
]
ERNAS = "0199c0de-0000-7000-8000-00000000e001"
MANY = 25  # bytes of each file that are changed, one at a time


@pytest.fixture
def store(database: str) -> Iterator[OpenStore]:
    with open_store(database) as opened:
        yield opened


@pytest.fixture
def kept(store: OpenStore, tmp_path: Path) -> KeptLog:
    return KeptLog(store.dsn, tmp_path / "kept")


@pytest.fixture
def pack(store: OpenStore, kept: KeptLog, tmp_path: Path) -> Path:
    """A cosigned pack of three workflows with two events each, of which one was erased."""
    write(store, 2, events=2)
    record(store, [create(id=ERNAS, user_id="erna"), increment(id=ERNAS, user_id="erna")])
    kept.follow()
    kept.cosign()
    receipts = FolderReceipts(tmp_path / "receipts", lambda: KEY)
    erasures = Erasures(PostgresErasures(store.dsn), receipts, receipts.sign)
    erasures.erase(EraseUser("erna", "she asked", "GDPR Art. 17(1)(a)"), "admin")
    return write_pack(kept, tmp_path / "pack.zip")


def lines(pack: Path, name: str) -> list[dict[str, object]]:
    """The lines of a file of a pack."""
    return [json.loads(line) for line in read_pack(pack)[name].splitlines()]


def refusal(pack: Path, policy: str = "") -> str:
    """Why the verifier refuses a pack."""
    with pytest.raises(Exception) as refused:  # noqa: PT011 - whatever a changed file leads to
        verified(str(pack), policy)
    return str(refused.value)


def test_a_pack_holds_these_files_and_passes(pack: Path) -> None:
    assert list(read_pack(pack)) == FILES
    said = verified(str(pack))
    assert said.startswith("events: 6, workflows: 3, erased: 2; in a log of 6 signed by")
    assert "witness.example" in said


def test_what_was_erased_appears_without_content_and_is_proved(pack: Path) -> None:
    erased = [each for each in lines(pack, "events.jsonl") if each["content"] is None]
    assert [(each["position"], each["salt"]) for each in erased] == [(5, None), (6, None)]
    [receipt] = lines(pack, "receipts.jsonl")
    erasure = parse_receipt(str(receipt["receipt"]))
    assert [each.workflow_id for each in erasure.workflows] == [ERNAS]
    assert receipt["id"] == erasure.id
    proofs = lines(pack, "proofs.jsonl")
    assert [each["position"] for each in proofs] == list(range(1, 7))
    assert all(str(p["proof"]).startswith("c2sp.org/tlog-proof@v1\n") for p in proofs)


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_of_any_file_is_refused(pack: Path, tmp_path: Path, name: str) -> None:
    files = read_pack(pack)
    policy = files["policy"].decode()
    content = files[name] or b"\n"
    step = max(1, len(content) // MANY)
    # The character before the padding of a signature can be written in several ways.
    for at in {*range(0, len(content), step), len(content) - 1, max(0, content.rfind(b"=") - 1)}:
        changed = zipped(files | {name: flipped(content, at)}, tmp_path / "changed.zip")
        refusal(changed)
        refusal(changed, policy)


@pytest.mark.parametrize(
    "change", ["a file less", "a file more", "a line less", "two lines swapped", "a proof moved"]
)
def test_what_is_missing_added_or_moved_is_refused(pack: Path, tmp_path: Path, change: str) -> None:
    files = read_pack(pack)
    events = files["events.jsonl"].splitlines(keepends=True)
    proofs = files["proofs.jsonl"].splitlines(keepends=True)
    match change:
        case "a file less":
            del files["receipts.jsonl"]
        case "a file more":
            files["notes.txt"] = b"believe me"
        case "a line less":
            files["events.jsonl"] = b"".join(events[:-1])
            files["proofs.jsonl"] = b"".join(proofs[:-1])
        case "two lines swapped":
            files["events.jsonl"] = b"".join([events[1], events[0], *events[2:]])
        case "a proof moved":
            files["proofs.jsonl"] = b"".join([proofs[1], *proofs[1:]])
    refusal(zipped(files, tmp_path / "changed.zip"))


def test_a_forger_with_another_key_is_refused_by_the_policy_of_those_who_are_trusted(
    pack: Path, store: OpenStore, tmp_path: Path
) -> None:
    forger, theirs = SigningKey.made(KEY.name), KeptLog(store.dsn, tmp_path / "forged")
    execute(store.dsn, "UPDATE workflow_events SET topic = 'deleted.v1' WHERE notification_id = 6")
    theirs.follow(forger)
    forged = tmp_path / "forged.zip"
    forged.write_bytes(b"".join(p.data for p in maker(theirs, forger).pieces(asked())))

    assert verified(str(forged))  # Its own policy names the forger's key.
    trusted = read_pack(pack)["policy"].decode()
    assert "not signed as the policy asks" in refusal(forged, trusted)


def test_without_the_cosignatures_that_the_policy_asks_for_there_is_no_pack(
    store: OpenStore, kept: KeptLog
) -> None:
    write(store, 1)
    kept.follow()
    kept.cosign()
    for cosigned in (kept.folder / "cosigned").iterdir():
        cosigned.unlink()
    with pytest.raises(NotProvable, match="cosigned as the policy asks"):
        list(maker(kept).pieces(asked()))


def test_a_pack_ends_where_the_cosigned_checkpoint_ends(
    store: OpenStore, kept: KeptLog, tmp_path: Path
) -> None:
    write(store, 2)
    kept.follow()
    kept.cosign()
    write(store, 2)
    kept.follow()

    pack = write_pack(kept, tmp_path / "pack.zip")

    assert [each["position"] for each in lines(pack, "events.jsonl")] == [1, 2]
    assert verified(str(pack)).startswith("events: 2,")


def test_what_is_chosen(store: OpenStore, kept: KeptLog, tmp_path: Path) -> None:
    one, other = write(store, 2, events=2)
    ann = create(id="0199c0de-0000-7000-8000-00000000a001", user_id="ann")
    record(store, [ann, delete(id=other)])
    kept.follow()
    at = {
        position: datetime.fromisoformat(str(json.loads(str(state))["recorded_at"]))
        for position, state in (
            (each["position"], each["state"])
            for each in lines(write_pack(kept, tmp_path / "all.zip"), "events.jsonl")
        )
    }

    def chosen(**wanted: object) -> list[object]:
        request = asked(**wanted)  # type: ignore[arg-type] # each by its own type
        pack = write_pack(kept, tmp_path / "pack.zip", request)
        verified(str(pack))
        return [each["position"] for each in lines(pack, "events.jsonl")]

    assert chosen(workflow_id=other) == [2, 4, 6]
    assert chosen(user_id="ann") == [5]
    assert chosen(user_id="alice") == [1, 2, 3, 4, 6]  # One of them is deleted.
    assert chosen(user_id="nobody") == []
    assert chosen(since=at[3]) == [3, 4, 5, 6]
    assert chosen(since=at[3], until=at[5], workflow_id=one) == [3]
    for unknown in (asked(ann.id, "bob"), asked("0199c0de-0000-7000-8000-00000000a002")):
        with pytest.raises(WorkflowNotFound):
            list(maker(kept).pieces(unknown))


def test_an_event_that_is_not_the_one_that_was_signed_makes_no_pack(
    store: OpenStore, kept: KeptLog
) -> None:
    write(store, 3)
    kept.follow()
    execute(store.dsn, "UPDATE workflow_events SET topic = 'deleted.v1' WHERE notification_id = 2")
    with pytest.raises(StoredDataDamaged, match="position 2 is not the one that was signed"):
        list(maker(kept).pieces(asked()))


def test_a_pack_of_any_size_is_made_in_bounded_memory(store: OpenStore, kept: KeptLog) -> None:
    payload = json.dumps({"url": "https://example.com", "note": "x" * 1_000_000})
    write(store, 1)
    for number in range(40):
        record(store, [create(id=f"0199c0de-0000-7000-8000-{number:012}", payload=payload)])
    kept.follow()
    assert value(store.dsn, "SELECT sum(octet_length(content)) FROM workflow_events") > 40_000_000

    tracemalloc.start()
    try:
        largest = max(len(piece.data) for piece in maker(kept).pieces(asked()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert largest < 4_000_000
    assert peak < 30_000_000


def test_a_pack_that_nobody_reads_to_its_end_leaves_no_connection(
    store: OpenStore, kept: KeptLog
) -> None:
    write(store, 3)
    kept.follow()
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    before = value(store.dsn, sessions)
    pieces = maker(kept).pieces(asked())
    next(pieces)
    assert value(store.dsn, sessions) == before + 1
    pieces.close()  # type: ignore[attr-defined] # it is a generator
    assert value(store.dsn, sessions) == before
