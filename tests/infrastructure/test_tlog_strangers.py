"""The log read by libraries that we did not write: Go's checksum database and torchwood."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from application.receipts import KeptReceipt
from infrastructure.proof.keys import SigningKey
from infrastructure.proof.receiptlog import ReceiptLog
from infrastructure.tlog.files import FolderSource
from infrastructure.tlog.notes import COSIGNATURE, SIGNATURE, Signer, Verifier
from infrastructure.tlog.tiles import Tiles
from infrastructure.tlog.witness import Witness
from infrastructure.tlog.writing import TileLog
from tests.support.go import built

SOURCE = Path(__file__).with_name("tlog_oracle")
LOG = Signer("workflows.example/log", SIGNATURE, Ed25519PrivateKey.generate())
WITNESS = Signer("witness.example", COSIGNATURE, Ed25519PrivateKey.generate())
SIZE = 70_003


@pytest.fixture(name="oracle", scope="module")
def built_oracle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that reads a log with those libraries."""
    return built(SOURCE, tmp_path_factory.mktemp("oracle") / "oracle")


@pytest.fixture(name="folder", scope="module")
def log_with_proofs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that a witness cosigned, a policy that asks for both, and some proofs."""
    folder = tmp_path_factory.mktemp("log")
    log = TileLog(folder / "log", LOG)
    log.append(f"leaf {number}".encode() for number in range(SIZE))
    log.publish()
    source = FolderSource(folder / "log")
    cosigned = Witness(WITNESS, folder / "witness").cosign(source, LOG.verifier, 1)
    (folder / "policy").write_text(f"log {LOG.verifier}\nwitness w {WITNESS.verifier}\nquorum w\n")
    for index in (0, 255, 256, 65_536, SIZE - 1):
        proof = Tiles(source, SIZE).proof(index, cosigned)
        (folder / f"{index}.tlog-proof").write_text(proof)
    return folder


def judged(
    oracle: Path, folder: Path, key: Verifier = LOG.verifier
) -> subprocess.CompletedProcess[str]:
    """What the oracle says of a folder."""
    proofs = sorted(folder.glob("*.tlog-proof"))
    return subprocess.run(
        [oracle, folder / "log", str(key), folder / "policy", *proofs],
        capture_output=True,
        text=True,
        check=False,
    )


def test_other_programs_accept_the_log_its_cosignature_and_its_proofs(
    oracle: Path, folder: Path
) -> None:
    judgement = judged(oracle, folder)

    assert judgement.stdout == f"{SIZE} leaves and 5 proofs hold\n", judgement.stderr


def test_other_programs_accept_the_log_of_receipts_and_the_proof_of_each(
    oracle: Path, tmp_path: Path
) -> None:
    key = SigningKey.made("workflows.example")
    log = ReceiptLog(tmp_path / "log", lambda: key)
    receipts = [KeptReceipt(n, str(n), f"receipt {n}\n") for n in range(1, 4)]
    for receipt in receipts:
        log.extend(lambda after: iter(receipts[after:]))
        proven = log.proof(receipt)
        assert proven is not None
        (tmp_path / f"{receipt.id}.tlog-proof").write_text(proven.proof)
    (tmp_path / "policy").write_text(log.policy)

    judgement = judged(oracle, tmp_path, key.receipts_signer.verifier)

    assert judgement.stdout == "3 leaves and 3 proofs hold\n", judgement.stderr


@pytest.mark.parametrize(
    "changed",
    ["log/checkpoint", "log/tile/0/100", "log/tile/entries/000", "0.tlog-proof"],
)
def test_other_programs_refuse_a_changed_byte(
    oracle: Path, folder: Path, tmp_path: Path, changed: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    file = copy / changed
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    assert judged(oracle, copy).returncode != 0
