"""What `make scale` measures holds on a small record too; no speed is judged here."""

from pathlib import Path

from tests.scale.__main__ import run, table
from tests.scale.stage import SHORT


def test_all_figures_come_and_everything_holds(tmp_path: Path) -> None:
    shown = table(run(tmp_path, SHORT))
    assert "EraseUser, 20 events" in shown
    assert "none lost or stale" in shown
