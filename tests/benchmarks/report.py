"""The figures as a table: for a terminal, for RESULTS.md, and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from tests.benchmarks.results import Row, Spread

Findings = Mapping[str, Sequence[Row]]

HEADINGS = ("figure", "ours", "reference", "its value", "ratio", "target", "verdict", "load")

_READING = Path(__file__).with_name("reading.md")


def table(findings: Findings) -> Table:
    """The figures for a terminal."""
    shown = Table(title="Benchmarks", title_justify="left")
    for heading in HEADINGS:
        shown.add_column(heading, overflow="fold")
    for rows in findings.values():
        for row in rows:
            style = {"holds": "green", "falls short": "red"}.get(row.verdict, "")
            shown.add_row(*_cells(row), style=style)
        shown.add_section()
    return shown


def markdown(
    findings: Findings, machine: Mapping[str, str], rounds: int, missing: Sequence[str] = ()
) -> str:
    """The whole of RESULTS.md; `missing` are the figures without a finding, by name."""
    rows = [row for found in findings.values() for row in found]
    left_out = ["", f"Not measured in this run: {', '.join(missing)}."] if missing else []
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Written by `make bench`: medians of {rounds} rounds or more.",
            "",
            *_lines(HEADINGS, [_cells(row) for row in rows]),
            *left_out,
            "",
            "## Machine and versions",
            "",
            *_lines(("what", "value"), list(machine.items())),
            "",
            _READING.read_text(),
        ]
    )


def as_json(findings: Findings, machine: Mapping[str, str]) -> str:
    """Every number of every round."""
    figures = {
        name: [
            asdict(row) | {"target": str(row.target or ""), "verdict": row.verdict} for row in rows
        ]
        for name, rows in findings.items()
    }
    return json.dumps({"machine": dict(machine), "figures": figures}, indent=2, ensure_ascii=False)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.what,
        f"{_shown(row.spread, _digits(row))} {row.unit}",
        row.reference,
        f"{_shown(row.beside_spread, _digits(row))} {row.unit}" if row.beside_spread else "",
        _shown(row.ratio, 2) if row.ratio else "",
        str(row.target or ""),
        _verdict(row),
        row.load,
    )


def _verdict(row: Row) -> str:
    mark = {"holds": "✓ ", "falls short": "✗ "}.get(row.verdict, "")
    return f"{mark}{row.verdict}"


def _digits(row: Row) -> int:
    return 1 if row.spread.median < 100 else 0


def _shown(spread: Spread, digits: int) -> str:
    middle = f"{spread.median:,.{digits}f}"
    if spread.least == spread.most:
        return middle
    return f"{middle} ({spread.least:,.{digits}f} to {spread.most:,.{digits}f})"


def _lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(line)} |" for line in (headings, ["---"] * len(headings), *body)]
