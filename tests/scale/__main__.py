"""Usage: python -m tests.scale [short]. Measures what must hold of a large record, as a table."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from tests.scale.erasing import erasing
from tests.scale.pages import history, lists
from tests.scale.rebuilding import rebuilding
from tests.scale.stage import SHORT, WHOLE, Figure, Sizes, stage

PARTS = (lists, history, erasing, rebuilding)
_BEGAN = perf_counter()


def run(root: Path, sizes: Sizes) -> list[Figure]:
    """Every figure. Raises AssertionError if something does not hold, whatever its speed."""
    figures: list[Figure] = []
    with stage(root, sizes, say) as there:
        for part in PARTS:
            figures += part(there)
    return figures


def say(what: str) -> None:
    """Tells on stderr what goes on."""
    print(f"{perf_counter() - _BEGAN:7.1f} s  {what}", file=sys.stderr, flush=True)


def table(figures: Sequence[Figure]) -> str:
    """The figures as a table in Markdown."""
    lines = ["| what | figure | target |", "| --- | --- | --- |"]
    lines += [f"| {f.what} | {f.value:,.4g} {f.unit} | {f.target} |" for f in figures]
    return "\n".join(lines)


def main() -> None:
    """Runs all in a folder that goes away afterwards."""
    with tempfile.TemporaryDirectory(prefix="workflows-scale-") as folder:
        print(table(run(Path(folder), SHORT if "short" in sys.argv[1:] else WHOLE)))


if __name__ == "__main__":
    main()
