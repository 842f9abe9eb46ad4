"""`python -m tests.benchmarks`: measures every figure, and writes RESULTS.md after each."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console

from infrastructure.postgres.embedded import EmbeddedPostgres
from tests.benchmarks import machine, report
from tests.benchmarks.figures import FIGURES
from tests.benchmarks.generators import CallsFailed, LoadMissing
from tests.benchmarks.processes import ServerFailed
from tests.benchmarks.progress import Progress
from tests.benchmarks.results import Row
from tests.benchmarks.workbench import FULL, QUICK, Workbench

RESULTS = Path(__file__).with_name("RESULTS.md")
EVERYTHING = ",".join(FIGURES)
QUICKER = 0.25  # of the time that a full run takes

Rounds = Annotated[int | None, typer.Option(min=1, help="Rounds of every figure; 3 unless quick.")]
Quick = Annotated[bool, typer.Option("--quick", help="Small sizes and one round; writes no file.")]
Only = Annotated[str, typer.Option(help=f"Some figures only: {EVERYTHING}.")]
Json = Annotated[Path | None, typer.Option("--json", help="Also write every number here.")]
Before = Annotated[
    str | None,
    typer.Option(metavar="REVISION", help="An earlier revision in git to measure beside today's."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        help="Where the table goes, after every figure;"
        " with --quick or --only it is written only if this is given."
    ),
]
Deadline = Annotated[
    float | None,
    typer.Option(min=0, help="Minutes: figures that would end later, by guess, are left out."),
]


def main(
    rounds: Rounds = None,
    quick: Quick = False,
    only: Only = EVERYTHING,
    json: Json = None,
    output: Output = None,
    deadline: Deadline = None,
    before: Before = None,
) -> None:
    """Measures every figure beside its references, all started and stopped here."""
    names = [name.strip() for name in only.split(",")]
    if unknown := sorted(set(names) - set(FIGURES)):
        raise typer.BadParameter(f"{', '.join(unknown)}: known are {', '.join(FIGURES)}")
    sizes = QUICK if quick else FULL
    sizes = replace(sizes, rounds=rounds) if rounds else sizes
    pace = QUICKER if quick else sizes.rounds / FULL.rounds
    guesses = {name: FIGURES[name].seconds * pace for name in names}
    if output is None and not quick and len(names) == len(FIGURES):
        output = RESULTS
    progress = Progress(Console(stderr=True), guesses)
    ends = monotonic() + deadline * 60 if deadline else inf
    findings: dict[str, list[Row]] = {}
    try:
        with _postgres() as (dsn, directory), progress.shown():
            facts = machine.facts(dsn)
            with Workbench(dsn, directory, sizes, progress.say, before) as bench:
                for name in names:
                    if monotonic() + guesses[name] > ends:
                        progress.say(f"{name} is left out: it would end after the deadline")
                        continue
                    progress.figure(name)
                    findings[name] = list(FIGURES[name].measure(bench))
                    _write(findings, facts, sizes.rounds, json, output)
    finally:  # If the run is interrupted, the figures so far are printed.
        if findings:
            _write(findings, facts, sizes.rounds, json, output)  # It may have ended in a write.
            Console().print(report.table(findings))


def _write(
    findings: report.Findings,
    facts: Mapping[str, str],
    rounds: int,
    json: Path | None,
    output: Path | None,
) -> None:
    """What is known so far, so that a run that is broken off later leaves it."""
    missing = [name for name in FIGURES if name not in findings]
    if json:
        json.write_text(report.as_json(findings, facts))
    if output:
        output.write_text(report.markdown(findings, facts, rounds, missing))


@contextmanager
def _postgres() -> Iterator[tuple[str, Path]]:
    """A PostgreSQL for this run only, and a folder; both are removed afterwards."""
    # A short path that another user can enter: sockets have short names, and root cannot serve.
    directory = Path(tempfile.mkdtemp(prefix="workflows-"))
    try:
        server = EmbeddedPostgres(directory)
        try:
            yield server.dsn, directory
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    # If this process gets SIGTERM, the processes that it started must end, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        typer.run(main)
    except (LoadMissing, CallsFailed, ServerFailed) as failed:
        sys.exit(f"error: {failed}")
