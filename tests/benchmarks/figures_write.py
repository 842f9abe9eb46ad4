"""Commands under load beside their references."""

import re
import subprocess
from pathlib import Path

from tests.benchmarks import bodies
from tests.benchmarks.generators import CallsFailed
from tests.benchmarks.processes import Server
from tests.benchmarks.results import H2LOAD, NATIVE, PGBENCH, Row, Target
from tests.benchmarks.workbench import Workbench, adds, execute

CREATE = "CreateWorkflow"
INCREMENT = "IncrementWorkflowConsecutiveJobFailuresCount"
RESET = "ResetWorkflowConsecutiveJobFailuresCount"

NOOP = "(a) no-op grpc.aio"
WIRE = "(e) no-op on the service's own wire"
STOCK = "(b) stock eventsourcing"
SLOW = 8  # (b) is about this much slower, so it gets fewer calls

_SCRIPT = Path(__file__).parent / "references" / "create.pgbench.sql"
_CLIENTS = 16
_TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


def create(bench: Workbench) -> list[Row]:
    """CreateWorkflow, 128 in flight."""
    service, noop, stock, wire = bench.service(), bench.noop(), bench.stock(), bench.wire()
    calls, few = bench.sizes.calls, max(bench.sizes.calls // SLOW, 200)
    stock_dsn = bench.database("bench_stock")
    pgbench_dsn = bench.database("bench_pgbench")
    execute(pgbench_dsn, "CREATE SEQUENCE pgbench_positions")
    program = Path(bench.postgres().exe()).with_name("pgbench")
    body = bodies.create()

    def ours() -> float:
        with adds(bench.main, calls):
            return bench.loads.h2load(service, CREATE, body, calls)

    def nothing() -> float:
        return bench.loads.h2load(noop, CREATE, body, calls)

    def bare_wire() -> float:
        return bench.loads.h2load(wire, CREATE, body, calls)

    def stock_library() -> float:
        with adds(stock_dsn, few, "SELECT count(*) FROM stockworkflows_events"):
            return bench.loads.h2load(stock, CREATE, body, few)

    def inserts() -> float:
        with adds(pgbench_dsn, calls // _CLIENTS * _CLIENTS):
            return _pgbench(program, pgbench_dsn, calls // _CLIENTS)

    for server in (service, noop, stock, wire):  # Warm, and every call answered OK.
        bench.loads.different(server, CREATE, [body], few // 2)
    rates = bench.alternate(
        {
            "ours": ours,
            "(a)": nothing,
            "(b)": stock_library,
            "(c)": inserts,
            "(e)": bare_wire,
        }
    )
    own, what = rates["ours"], "CreateWorkflow, 128 in flight"
    return [
        Row(what, "calls/s", H2LOAD, own, NOOP, rates["(a)"], Target(0.70)),
        Row(what, "calls/s", H2LOAD, own, STOCK, rates["(b)"], Target(8)),
        Row(
            f"{what}; reference: {_CLIENTS} clients",
            "calls/s",
            f"{H2LOAD}, {PGBENCH}",
            own,
            "(c) pgbench, same inserts",
            rates["(c)"],
        ),
        Row(what, "calls/s", H2LOAD, own, WIRE, rates["(e)"]),
    ]


def increment_many(bench: Workbench) -> list[Row]:
    """Increment on 1,000 workflows in turn, 128 in flight."""
    ids = bench.workflows("increments", bench.sizes.workflows)
    what = f"Increment on {len(ids):,} workflows, 128 in flight"
    return [_increments(bench, ids, what, Target(0.60))]


def increment_hot(bench: Workbench) -> list[Row]:
    """Increment on one workflow, 128 in flight."""
    ids = bench.workflows("hot", 1)
    return [_increments(bench, ids, "Increment on one workflow, 128 in flight", Target(0.50))]


def reset(bench: Workbench) -> list[Row]:
    """Reset at 0 of 1,000 workflows in turn, 128 in flight: nothing is recorded."""
    sent = bodies.resets(bench.workflows("resets", bench.sizes.workflows))
    service, noop, wire = bench.service(), bench.noop(), bench.wire()

    def rate(server: Server) -> float:
        return bench.loads.different(server, RESET, sent, bench.sizes.calls).rate

    def ours() -> float:
        with adds(bench.main, 0):
            return rate(service)

    for server in (service, noop, wire):
        bench.loads.different(server, RESET, sent, len(sent))
    rates = bench.alternate({"ours": ours, "(a)": lambda: rate(noop), "(e)": lambda: rate(wire)})
    what = f"Reset at 0 on {len(sent):,} workflows, 128 in flight"
    return [
        Row(what, "calls/s", NATIVE, rates["ours"], NOOP, rates["(a)"], Target(0.75)),
        Row(what, "calls/s", NATIVE, rates["ours"], WIRE, rates["(e)"]),
    ]


def _increments(bench: Workbench, ids: list[str], what: str, target: Target) -> Row:
    service, noop, calls = bench.service(), bench.noop(), bench.sizes.calls
    sent: list[list[bytes]] = []

    def ours() -> float:
        sent.append(bodies.increments(ids, calls, f"round-{len(sent)}"))
        with adds(bench.main, calls):
            return bench.loads.different(service, INCREMENT, sent[-1], calls).rate

    def nothing() -> float:
        return bench.loads.different(noop, INCREMENT, sent[-1], calls).rate

    for server in (service, noop):
        warming = bodies.increments(ids, calls // SLOW, "warming")
        bench.loads.different(server, INCREMENT, warming, len(warming))
    rates = bench.alternate({"ours": ours, "(a)": nothing})
    return Row(what, "calls/s", NATIVE, rates["ours"], NOOP, rates["(a)"], target)


def _pgbench(program: Path, dsn: str, calls_each: int) -> float:
    """Transactions a second of 16 clients. Raises CallsFailed."""
    done = subprocess.run(
        [
            str(program),
            *("--no-vacuum", "--protocol", "prepared", "--file", str(_SCRIPT)),
            *("--client", str(_CLIENTS), "--jobs", "2", "--transactions", str(calls_each)),
            dsn,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    rate = _TPS.search(done.stdout)
    if done.returncode or rate is None:
        raise CallsFailed(f"pgbench: {done.stderr}{done.stdout}")
    return float(rate[1])
