"""Evidence packs: what is in them, and that no byte of any file can be changed unseen."""

import json
import tracemalloc
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits

import pytest
from psycopg.conninfo import make_conninfo

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
    signed_anew,
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
DIGITS = f"{ascii_uppercase}{ascii_lowercase}{digits}+/".encode()
MANY = 25  # bytes of each file that are changed, one at a time


@pytest.fixture
def store(database: str) -> Iterator[OpenStore]:
    with open_store(database) as opened:
        yield opened


@pytest.fixture
def kept(store: OpenStore, tmp_path: Path) -> KeptLog:
    return KeptLog(store.dsn, tmp_path / "kept")


@pytest.fixture(scope="module")
def pack(postgres: str, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cosigned pack of three workflows with eight events, of which one was erased."""
    folder = tmp_path_factory.mktemp("pack")
    execute(postgres, f"CREATE DATABASE packed TEMPLATE {migrated}")
    kept = KeptLog(make_conninfo(postgres, dbname="packed"), folder)
    with open_store(kept.dsn) as store:
        write(store, 2, events=3)
        record(store, [create(id=ERNAS, user_id="erna"), increment(id=ERNAS, user_id="erna")])
        kept.follow()
        kept.cosign()
        receipts = FolderReceipts(folder / "receipts", lambda: KEY)
        erasures = Erasures(PostgresErasures(store.dsn), receipts, receipts.sign)
        erasures.erase(EraseUser("erna", "she asked", "GDPR Art. 17(1)(a)"), "admin")
    yield write_pack(kept, folder / "pack.zip")
    execute(postgres, "DROP DATABASE packed WITH (FORCE)")


def lines(pack: Path, name: str) -> list[dict[str, object]]:
    """The lines of a file of a pack."""
    return [json.loads(line) for line in read_pack(pack)[name].splitlines()]


def refusal(pack: Path, policy: str = "") -> str:
    """Why the verifier refuses a pack."""
    with pytest.raises(Exception) as refused:  # noqa: PT011 - whatever a changed file leads to
        verified(str(pack), policy)
    return str(refused.value) or type(refused.value).__name__


def test_a_pack_holds_these_files_and_passes(pack: Path) -> None:
    assert list(read_pack(pack)) == FILES
    said = verified(str(pack))
    assert said.startswith("events: 8, workflows: 3, erased: 2; in a log of 8 signed by")
    assert "witness.example" in said


def test_what_was_erased_appears_without_content_and_is_proved(pack: Path) -> None:
    erased = [each for each in lines(pack, "events.jsonl") if each["content"] is None]
    assert [(each["position"], each["salt"]) for each in erased] == [(7, None), (8, None)]
    [receipt] = lines(pack, "receipts.jsonl")
    erasure = parse_receipt(str(receipt["receipt"]))
    assert [each.workflow_id for each in erasure.workflows] == [ERNAS]
    assert receipt["id"] == erasure.id
    proofs = lines(pack, "proofs.jsonl")
    assert [each["position"] for each in proofs] == list(range(1, 9))
    assert all(str(p["proof"]).startswith("c2sp.org/tlog-proof@v1\n") for p in proofs)


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_of_any_file_is_refused(pack: Path, tmp_path: Path, name: str) -> None:
    files = read_pack(pack)
    policy = files["policy"].decode()
    content = files[name] or b"\n"
    step = max(1, len(content) // MANY)
    for at in {*range(0, len(content), step), len(content) - 1}:
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


def lines_without(files: dict[str, bytes], number: int) -> dict[str, bytes]:
    """The files without one event and its proof."""
    found = {}
    for name in ("events.jsonl", "proofs.jsonl"):
        kept = files[name].splitlines(keepends=True)
        found[name] = b"".join(kept[:number] + kept[number + 1 :])
    return found


def swapped(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files with the first two events, and their proofs, in each other's places."""
    found = {}
    for name in ("events.jsonl", "proofs.jsonl"):
        first, second, *others = files[name].splitlines(keepends=True)
        found[name] = b"".join([second, first, *others])
    return found


def changed(files: dict[str, bytes], name: str, before: bytes, after: bytes) -> dict[str, bytes]:
    """The files with other words in one of them."""
    assert before in files[name]
    return {name: files[name].replace(before, after, 1)}


FORGERIES: dict[str, tuple[Callable[[dict[str, bytes]], dict[str, bytes]], str]] = {
    "content": (lambda f: changed(f, "events.jsonl", b"nightly", b"daily"), "content of 1"),
    "name": (
        lambda f: changed(f, "events.jsonl", b"created.v1", b"deleted.v1"),
        "the proof of 1 does not fit",
    ),
    "state": (
        lambda f: changed(f, "events.jsonl", b"recorded_at", b"recordeD_at"),
        "the proof of 1 does not fit",
    ),
    "workflow": (lambda f: changed(f, "events.jsonl", b'"version":1', b'"version":9'), "of 1"),
    "event in between": (lambda f: lines_without(f, 2), "missing before position 5"),
    "order": (swapped, "is not in its place"),
    "index": (lambda f: changed(f, "proofs.jsonl", b"index 0", b"index 1"), "the proof of 1"),
    "checkpoint": (lambda f: changed(f, "checkpoint", b"\n8\n", b"\n9\n"), "InvalidSignature"),
    "feed": (lambda f: changed(f, "pack.json", b'"feed": "0/', b'"feed": "1/'), "the proof of 1"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_the_logs_own_key_cannot_make_a_pack_of_what_was_not_logged(
    pack: Path, tmp_path: Path, forgery: str
) -> None:
    files = read_pack(pack)
    forge, words = FORGERIES[forgery]
    forged = signed_anew(files | forge(files), tmp_path / "forged.zip")
    assert verified(str(signed_anew(files, tmp_path / "anew.zip")))
    assert words in refusal(forged)


def test_a_signature_that_is_written_in_another_way_is_refused(pack: Path, tmp_path: Path) -> None:
    """The last digit of its base64 has bits that mean nothing; most readers ignore them."""
    files = read_pack(pack)
    note = files["log/checkpoint"]
    at = note.rindex(b"=") - 1
    other = note[:at] + DIGITS[DIGITS.index(note[at : at + 1]) + 1 :][:1] + note[at + 1 :]
    assert b64decode(other.split(b" ")[-1]) == b64decode(note.split(b" ")[-1])
    assert "is not how its bytes are written" in refusal(
        zipped(files | {"log/checkpoint": other}, tmp_path / "changed.zip")
    )


def test_without_the_logs_key_no_manifest_fits_its_signature(pack: Path, tmp_path: Path) -> None:
    files = read_pack(pack)
    forged = read_pack(signed_anew(files | {"README.md": b"all is well"}, tmp_path / "forged.zip"))
    kept = forged | {"log/checkpoint": files["log/checkpoint"]}
    assert "log/tile/entries/000.p/9 was changed" in refusal(zipped(kept, tmp_path / "kept.zip"))


def test_a_forger_with_another_key_is_refused_by_the_policy_of_those_who_are_trusted(
    pack: Path, store: OpenStore, tmp_path: Path
) -> None:
    forger, theirs = SigningKey.made(KEY.name), KeptLog(store.dsn, tmp_path / "forged")
    write(store, 1)
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
