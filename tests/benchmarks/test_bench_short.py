"""Every figure once at a tiny size: the calls succeed and a table comes out. No speed is judged."""

from collections.abc import Iterator

import pytest
from rich.console import Console

from tests.benchmarks import bodies, machine, report, sampling
from tests.benchmarks.figures import FIGURES
from tests.benchmarks.figures_before import Revision
from tests.benchmarks.figures_read import GET
from tests.benchmarks.figures_write import CREATE
from tests.benchmarks.generators import CallsFailed, LoadMissing
from tests.benchmarks.results import Row, Target
from tests.benchmarks.workbench import Sizes, Workbench, adds

TINY = Sizes(
    rounds=1,
    calls=256,
    sequential=20,
    workflows=50,
    creates=200,
    stored=(300,),
    history=600,
    profile_seconds=1,
)
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def bench(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """A place for tiny figures."""
    directory = tmp_path_factory.mktemp("benchmarks")
    try:
        workbench = Workbench(postgres, directory, TINY, lambda _: None)
    except LoadMissing as missing:
        pytest.skip(f"no load can be made here: {missing}")
    with workbench:
        yield workbench
        started = [workbench.service(), workbench.noop()]
    assert not any(server.process.is_running() for server in started)


@pytest.mark.parametrize("name", sorted(FIGURES.keys() - {"before"}))
def test_a_figure_is_measured_and_shown(bench: Workbench, name: str) -> None:
    rows = FIGURES[name].measure(bench)

    # A few calls may cost less than one tick of the processor's clock.
    least = 0 if name == "cpu" else 1e-9
    assert all(value >= least for row in rows for value in (*row.values, *row.beside))
    shown = report.markdown({name: rows}, {}, TINY.rounds)
    assert all(f"| {row.what} |" in shown for row in rows)


def test_a_revision_is_measured_by_every_load(bench: Workbench) -> None:
    today = Revision(bench, *bench.today())

    assert min(today.create(), today.get(), today.increment(), today.page()) > 0


def test_calls_that_are_refused_are_no_measurement(bench: Workbench) -> None:
    """The generator reads grpc-status: HTTP says 200 for these."""
    with pytest.raises(CallsFailed, match="'5': 10"):
        bench.loads.different(bench.service(), GET, bodies.gets([NOBODY], "nobody"), 10)


def test_calls_without_effect_are_no_measurement(bench: Workbench) -> None:
    """h2load counts refusals as successes; the database does not."""
    with pytest.raises(CallsFailed, match="0 of 128 effects"), adds(bench.main, 128):
        bench.loads.h2load(bench.service(), CREATE, bodies.create(user_id=""), 128)


def test_the_report_says_what_was_reached_and_where(bench: Workbench) -> None:
    high = Row("speed", "calls/s", "h2load", [90, 80, 70], "(a)", [100, 100, 100], Target(0.7))
    low = Row("size", "MiB", "none", [130.0], "before", [100.0], Target(1.2, at_least=False))
    findings = {"made up": [high, low]}

    shown = report.markdown(findings, machine.facts(bench.main), rounds=3)

    assert "| speed | 80.0 (70.0 to 90.0) calls/s | (a) | 100.0 calls/s |" in shown
    assert "| 0.80 (0.70 to 0.90) | ≥ 0.7 | ✓ holds | h2load |" in shown
    assert "| 1.30 | ≤ 1.2 | ✗ falls short | none |" in shown
    assert "fsync on" in shown
    assert '"verdict": "holds"' in report.as_json(findings, {})
    with (console := Console(width=200)).capture() as printed:
        console.print(report.table(findings))
    assert "falls short" in printed.get()


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        ("run (/x/threading.py:1);request (/x/grpc/_server.py:3)", sampling.WIRE),
        ("run (/x/threading.py:1);execute (/x/psycopg/cursor.py:9)", sampling.STORE),
        (
            "call (/x/rpc/guard.py:3);create (/x/rpc/workflows/convert.py:9)",
            sampling.MESSAGES,
        ),
        ("run (/x/threading.py:1)", sampling.OTHER),
    ],
)
def test_a_sample_belongs_to_its_innermost_part(stack: str, part: str) -> None:
    assert sampling.part_of(stack) == part
