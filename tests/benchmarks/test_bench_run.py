"""A run that is broken off, or short of time, leaves what it measured and says what it did not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as program
from tests.benchmarks.figures import Figure
from tests.benchmarks.generators import LoadMissing
from tests.benchmarks.results import Row
from tests.benchmarks.workbench import QUICK, Workbench


def _measured(_: Workbench) -> list[Row]:
    return [Row("made up", "calls/s", "none", [1.0])]


def _broken_off(_: Workbench) -> list[Row]:
    raise KeyboardInterrupt


@pytest.fixture(name="output")
def output_of_a_run(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The output folder of a run that measures on the tests' own PostgreSQL."""

    @contextmanager
    def there() -> Iterator[tuple[str, Path]]:
        yield postgres, tmp_path

    try:
        Workbench(postgres, tmp_path, QUICK, lambda _: None)
    except LoadMissing as missing:
        pytest.skip(f"no load can be made here: {missing}")
    monkeypatch.setattr(program, "_postgres", there)
    return tmp_path / "results.md"


def test_a_run_that_is_broken_off_leaves_its_figures(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {name: Figure(_measured, 1) for name in ("one", "two", "three")}
    figures["two"] = Figure(_broken_off, 1)
    monkeypatch.setattr(program, "FIGURES", figures)

    with pytest.raises(KeyboardInterrupt):
        program.main(only="one,two,three", output=output)

    written = output.read_text()
    assert "| made up | 1.0 calls/s |" in written
    assert "\nNot measured in this run: two, three.\n" in written


def test_a_figure_that_would_end_too_late_is_left_out(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"long": Figure(_broken_off, 3600), "short": Figure(_measured, 1)}
    monkeypatch.setattr(program, "FIGURES", figures)

    program.main(only="long,short", output=output, deadline=1)

    assert "\nNot measured in this run: long.\n" in output.read_text()
    assert "made up" in output.read_text()
