"""The log of digests: its proofs hold at any size, and it never contradicts what it signed."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path, PurePosixPath

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.tlog.checkpoints import Checkpoint, LogRefused
from infrastructure.tlog.files import FolderSource
from infrastructure.tlog.notes import COSIGNATURE, SIGNATURE, Note, NoteRefused, Signer, Verifier
from infrastructure.tlog.policy import Policy
from infrastructure.tlog.proofs import (
    EMPTY_ROOT,
    consistency_proof,
    consistent,
    includes,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_hash,
)
from infrastructure.tlog.tiles import Tiles, tile_path
from infrastructure.tlog.witness import CosignatureRefused, Witness
from infrastructure.tlog.writing import TileLog

ORIGIN = "workflows.example/log"
LOG = Signer(ORIGIN, SIGNATURE, Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
OTHER = Signer(ORIGIN, SIGNATURE, Ed25519PrivateKey.from_private_bytes(b"\2" * 32))
WITNESS = Signer("witness.example", COSIGNATURE, Ed25519PrivateKey.from_private_bytes(b"\3" * 32))
NOW = 1_800_000_000

EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def leaves(count: int, text: str = "leaf") -> list[bytes]:
    """Different leaves."""
    return [f"{text} {number}".encode() for number in range(count)]


def log_of(folder: Path, count: int, text: str = "leaf") -> TileLog:
    """A published log of so many leaves."""
    log = TileLog(folder, LOG)
    log.append(leaves(count, text))
    log.publish()
    return log


def naive_root(hashes: list[bytes]) -> bytes:
    """The tree hash as RFC 6962 defines it, word for word."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(naive_root(hashes[:split]), naive_root(hashes[split:]))


SIZES = st.integers(1, 70)


@given(SIZES, st.data())
def test_every_leaf_is_proved_and_no_other(size: int, data: st.DataObject) -> None:
    hashes = [leaf_hash(leaf) for leaf in leaves(size)]
    subtree = _over(hashes)
    index = data.draw(st.integers(0, size - 1))
    root = tree_hash(0, size, subtree)

    path = inclusion_proof(index, size, subtree)

    assert root == naive_root(hashes)
    assert includes(hashes[index], index, size, path, root)
    assert not includes(leaf_hash(b"another"), index, size, path, root)
    assert not includes(hashes[index], index, size, [*path, root], root)
    assert size == 1 or not includes(hashes[index], (index + 1) % size, size, path, root)


@given(SIZES, st.data())
def test_a_grown_tree_is_proved_to_begin_with_the_old_one(size: int, data: st.DataObject) -> None:
    hashes = [leaf_hash(leaf) for leaf in leaves(size)]
    subtree = _over(hashes)
    old = data.draw(st.integers(1, size))
    roots = naive_root(hashes[:old]), naive_root(hashes)

    path = consistency_proof(old, size, subtree) if old < size else []

    assert consistent(old, roots[0], size, roots[1], path)
    assert not consistent(old, EMPTY_ROOT, size, roots[1], path)
    assert not consistent(old, roots[0], size, EMPTY_ROOT, path)
    assert not consistent(old, roots[0], size, roots[1], [*path, EMPTY_ROOT])


def _over(hashes: list[bytes]) -> Callable[[int, int], bytes]:
    return lambda level, index: naive_root(hashes[index << level : (index + 1) << level])


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_536, 70_000])
def test_the_tiles_hold_the_tree(tmp_path: Path, size: int) -> None:
    log = log_of(tmp_path, size)
    tiles = Tiles(FolderSource(tmp_path), size)
    index = size * 2 // 3

    path = tiles.inclusion(index)

    assert includes(leaf_hash(leaves(size)[index]), index, size, path, log.checkpoint.root)
    assert tiles.leaves(index // 256)[index % 256] == leaves(size)[index]


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    parts, whole = tmp_path / "parts", tmp_path / "whole"
    for begin, end in ((0, 1), (1, 300), (300, 300), (300, 66_000)):
        log = TileLog(parts, LOG)
        log.append(leaves(end)[begin:])
        log.publish()

    log_of(whole, 66_000)

    assert (parts / "checkpoint").read_text() == (whole / "checkpoint").read_text()


def test_tiles_after_the_checkpoint_are_written_again(tmp_path: Path) -> None:
    """A process that ends before its checkpoint leaves tiles that nobody signed."""
    log_of(tmp_path, 100)
    unfinished = TileLog(tmp_path, LOG)
    unfinished.append(leaves(900)[100:])

    log = TileLog(tmp_path, LOG)
    log.append(leaves(900)[100:])
    log.publish()

    assert (log.size, log.checkpoint.root) == (900, log_of(tmp_path / "whole", 900).checkpoint.root)


def test_a_tile_has_the_path_of_its_number() -> None:
    assert tile_path("0", 1_234_067, 256) == PurePosixPath("tile/0/x001/x234/067")
    assert tile_path("entries", 5, 17) == PurePosixPath("tile/entries/005.p/17")


def test_the_published_example_of_a_note_verifies() -> None:
    key = Verifier.parse(EXAMPLE_KEY)

    assert str(key) == EXAMPLE_KEY
    assert Note.parse(EXAMPLE_NOTE).signed_by([key]) == {key}
    assert Note.parse(EXAMPLE_NOTE).signed_by([LOG.verifier]) == frozenset()
    with pytest.raises(NoteRefused):
        Note.parse(EXAMPLE_NOTE.replace("example message", "example massage")).signed_by([key])


@pytest.mark.parametrize(
    "note", ["", "text\n", "text\n\n", "text\n\nno signature\n", EXAMPLE_NOTE[:-1]]
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(NoteRefused):
        Note.parse(note)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        "o\n01\n" + "A" * 43 + "=\n",
        "o\n1\nAAAA\n",
        str(Checkpoint("o", 1, b"\0" * 32)) + "x\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteRefused):
        Checkpoint.parse(text)


def test_a_log_of_another_key_is_not_continued(tmp_path: Path) -> None:
    log_of(tmp_path, 3)

    with pytest.raises(LogRefused):
        TileLog(tmp_path, OTHER)


def test_a_changed_tile_is_noticed_at_the_start(tmp_path: Path) -> None:
    log_of(tmp_path, 300)
    tile = tmp_path / tile_path("1", 0, 1)
    tile.write_bytes(b"\0" + tile.read_bytes()[1:])

    with pytest.raises(LogRefused):
        TileLog(tmp_path, LOG)


def test_a_leaf_that_fits_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogRefused):
        TileLog(tmp_path, LOG).append([b"x" * 65_536])


def test_a_witness_cosigns_what_only_grew(tmp_path: Path) -> None:
    witness, log = Witness(WITNESS, tmp_path / "witness"), tmp_path / "log"
    policy = Policy.of(LOG.verifier, [WITNESS.verifier], 1)
    for size in (10, 10, 500):
        grown = TileLog(log, LOG)
        grown.append(leaves(size)[grown.size :])
        grown.publish()

        note = witness.cosign(FolderSource(log), LOG.verifier, NOW)

        assert note.signed_by([LOG.verifier, WITNESS.verifier]) == {LOG.verifier, WITNESS.verifier}
        assert policy.met_by(note)
        assert not policy.met_by(Note.parse((log / "checkpoint").read_text()))


@pytest.mark.parametrize(("size", "text"), [(9, "leaf"), (20, "rewritten")], ids=["cut", "changed"])
def test_a_witness_refuses_a_log_that_was_signed_anew(tmp_path: Path, size: int, text: str) -> None:
    """With the log's own key a whole new history can be signed. The witness remembers the old."""
    witness = Witness(WITNESS, tmp_path / "witness")
    log_of(tmp_path / "true", 10)
    witness.cosign(FolderSource(tmp_path / "true"), LOG.verifier, NOW)
    log_of(tmp_path / "forged", size, text)

    with pytest.raises(CosignatureRefused):
        witness.cosign(FolderSource(tmp_path / "forged"), LOG.verifier, NOW)


def test_a_witness_refuses_another_key_and_damaged_tiles(tmp_path: Path) -> None:
    witness = Witness(WITNESS, tmp_path / "witness")
    log_of(tmp_path / "log", 300)

    with pytest.raises(CosignatureRefused):
        witness.cosign(FolderSource(tmp_path / "log"), OTHER.verifier, NOW)
    (tmp_path / "log" / tile_path("0", 1, 44)).unlink()
    with pytest.raises(CosignatureRefused):
        witness.cosign(FolderSource(tmp_path / "log"), LOG.verifier, NOW)


@pytest.mark.parametrize("flipped", ["name", "id", "key"])
def test_a_changed_verifier_key_is_refused(flipped: str) -> None:
    name, key_id, key = str(LOG.verifier).split("+")
    changed = {
        "name": f"x{name}+{key_id}+{key}",
        "id": f"{name}+00000000+{key}",
        "key": f"{name}+{key_id}+AAAA",
    }

    with pytest.raises(NoteRefused):
        Verifier.parse(changed[flipped])


def test_a_signature_of_another_kind_is_not_accepted() -> None:
    """The same key signs as a log and as a witness under two ids."""
    as_witness = replace(LOG, kind=COSIGNATURE)
    text = str(Checkpoint(ORIGIN, 1, sha256(b"").digest()))
    note = Note(text, [LOG.line(text)])

    assert note.signed_by([as_witness.verifier]) == frozenset()
