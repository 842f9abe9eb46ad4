"""The measurement of verification, in short: that it verifies what it says, and no speed."""

from pathlib import Path

from tests.benchmarks.verifying import STEP, measure


def test_a_large_record_and_its_increment_hold(database: str, tmp_path: Path) -> None:
    whole, increment = measure(database, tmp_path, STEP, STEP)

    assert whole.events == STEP
    # It goes on at the beginning of a tile, so some events are verified again.
    assert STEP <= increment.events < STEP + 256
