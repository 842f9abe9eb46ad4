"""The log of receipts: each in the place that its number names, and no other in its place."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from application.ports import StoredDataDamaged
from application.receipts import KeptReceipt
from infrastructure.proof.keys import SigningKey
from infrastructure.proof.receiptlog import ReceiptLog

KEY = SigningKey.made("workflows.test")
RECEIPTS = [KeptReceipt(number, f"id-{number}", f"receipt {number}\n") for number in range(1, 6)]


class Stored:
    """The receipts of a database."""

    def __init__(self, *receipts: KeptReceipt) -> None:
        self._receipts: Sequence[KeptReceipt] = receipts

    def __call__(self, after: int) -> Iterator[KeptReceipt]:
        """See ErasureStore.receipts."""
        return iter([each for each in self._receipts if each.number > after])


@pytest.fixture
def log(tmp_path: Path) -> ReceiptLog:
    """A log that is opened anew."""
    return ReceiptLog(tmp_path, lambda: KEY)


def test_receipts_follow_each_other_whoever_writes(log: ReceiptLog, tmp_path: Path) -> None:
    log.extend(Stored(*RECEIPTS[:2]))
    other_process = ReceiptLog(tmp_path, lambda: KEY)
    other_process.extend(Stored(*RECEIPTS))
    log.extend(Stored(*RECEIPTS))
    assert log.size == len(RECEIPTS)
    for receipt in RECEIPTS:
        proven = log.proof(receipt)
        assert proven is not None
        assert proven.leaf == receipt.leaf
        assert proven.proof.startswith(f"c2sp.org/tlog-proof@v1\nindex {receipt.number - 1}\n")


def test_a_gap_is_waited_for(log: ReceiptLog) -> None:
    log.extend(Stored(RECEIPTS[0], RECEIPTS[2]))
    assert log.size == 1
    assert log.proof(RECEIPTS[2]) is None
    log.extend(Stored(*RECEIPTS[:3]))
    assert log.size == 3


def test_another_receipt_in_its_place_is_noticed(log: ReceiptLog) -> None:
    log.extend(Stored(*RECEIPTS))
    with pytest.raises(StoredDataDamaged, match="not the one that was logged"):
        log.proof(RECEIPTS[1]._replace(note="another receipt\n"))


def test_a_log_of_another_key_takes_nothing_and_proves_nothing(
    log: ReceiptLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.extend(Stored(RECEIPTS[0]))
    stranger = SigningKey.made("workflows.test")
    ReceiptLog(tmp_path, lambda: stranger).extend(Stored(*RECEIPTS))
    assert "log of receipts" in capsys.readouterr().out
    assert log.size == 1
    (tmp_path / "checkpoint").write_bytes(b"nonsense")
    assert log.size == 0
    with pytest.raises(StoredDataDamaged):
        log.proof(RECEIPTS[0])
