"""How long a call takes, alone and in company."""

from statistics import median
from time import perf_counter_ns
from uuid import uuid4

import psycopg

from tests.benchmarks import bodies
from tests.benchmarks.figures_write import CREATE, NOOP
from tests.benchmarks.generators import MANY, ONE, SIXTEEN, THOUSAND, Answered, InFlight
from tests.benchmarks.processes import Server
from tests.benchmarks.results import IN_PROCESS, NATIVE, Row, Target
from tests.benchmarks.workbench import Workbench, adds, execute, rows

_INSERT = """
    INSERT INTO lone_inserts
        (originator_id, originator_version, notification_id, append_id, topic, state, salt, content)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""


def lone(bench: Workbench) -> list[Row]:
    """One CreateWorkflow after the other, beside what it cannot do without."""
    service, noop, calls = bench.service(), bench.noop(), bench.sizes.sequential
    execute(
        bench.main,
        "CREATE TABLE IF NOT EXISTS lone_inserts (LIKE workflow_events INCLUDING ALL)",
    )

    def p50(server: Server) -> float:
        return bench.loads.different(server, CREATE, [bodies.create()], calls, ONE).p50

    def ours() -> float:
        with adds(bench.main, calls):
            return p50(service)

    p50(noop), p50(service)
    medians = bench.alternate(
        {
            "ours": ours,
            "one insert and its commit": lambda: _inserts(bench.main, calls),
            "one no-op call": lambda: p50(noop),
        }
    )
    inserts, nothing = medians["one insert and its commit"], medians["one no-op call"]
    together = [i + n for i, n in zip(inserts, nothing, strict=True)]
    return [
        Row(
            what="p50 of CreateWorkflow, one call at a time",
            unit="µs",
            load=NATIVE,
            values=medians["ours"],
            reference="one psycopg insert commit + one no-op call",
            beside=together,
            target=Target(1.5, at_least=False),
        ),
        Row(
            what="of that reference: p50 of one psycopg insert commit",
            unit="µs",
            load=IN_PROCESS,
            values=inserts,
        ),
        Row(
            what="of that reference: p50 of one no-op call", unit="µs", load=NATIVE, values=nothing
        ),
    ]


def latency(bench: Workbench) -> list[Row]:
    """p50 and p99 of CreateWorkflow at 1, 16, 128 and 1,000 calls in flight."""
    return [
        row for in_flight in (ONE, SIXTEEN, MANY, THOUSAND) for row in _latencies(bench, in_flight)
    ]


def _latencies(bench: Workbench, in_flight: InFlight) -> list[Row]:
    calls = bench.sizes.sequential if in_flight is ONE else bench.sizes.calls // 2
    found: dict[str, list[Answered]] = {"ours": [], "(a)": []}

    def measure(name: str, server: Server) -> float:
        answered = bench.loads.different(server, CREATE, [bodies.create()], calls, in_flight)
        found[name].append(answered)
        return answered.p50

    def ours() -> float:
        with adds(bench.main, calls):
            return measure("ours", bench.service())

    bench.alternate({"ours": ours, "(a)": lambda: measure("(a)", bench.noop())})
    own, noop = found["ours"], found["(a)"]
    what = f"CreateWorkflow, {in_flight.calls:,} in flight"
    return [
        Row(f"p50 of {what}", "µs", NATIVE, [a.p50 for a in own], NOOP, [a.p50 for a in noop]),
        Row(f"p99 of {what}", "µs", NATIVE, [a.p99 for a in own], NOOP, [a.p99 for a in noop]),
    ]


def _inserts(dsn: str, count: int) -> float:
    """The median time of an insert that commits, in microseconds: an event as the service's."""
    [stored] = rows(dsn, "SELECT topic, state, salt, content FROM workflow_events LIMIT 1")
    took = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute("SELECT coalesce(max(notification_id), 0) FROM lone_inserts")
        position = (found.fetchone() or (0,))[0]
        for number in range(1, count + 1):
            one = uuid4()
            began = perf_counter_ns()
            connection.execute(_INSERT, (one, 1, position + number, one, *stored))
            took.append(perf_counter_ns() - began)
    return median(took) / 1000
