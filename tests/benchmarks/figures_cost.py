"""What calls cost: processor time and memory; and how fast histories fold."""

from collections.abc import Callable
from time import perf_counter

import psutil

from application.ports import Forgotten
from domain.workflow import Workflow, evolve
from infrastructure.eventstore.log import WorkflowLog
from tests.benchmarks import bodies, sampling
from tests.benchmarks.figures_read import GET
from tests.benchmarks.figures_write import CREATE, NOOP
from tests.benchmarks.generators import CallsFailed
from tests.benchmarks.histories import with_history
from tests.benchmarks.processes import Server, service
from tests.benchmarks.results import H2LOAD, IN_PROCESS, NATIVE, Row, Target
from tests.benchmarks.workbench import Workbench, adds

WARM = 1_000  # calls
MIB = 1024 * 1024


def cpu(bench: Workbench) -> list[Row]:
    """Processor time of a call at 128 in flight, in the server and in PostgreSQL, and its parts."""
    calls = bench.sizes.calls
    reads = bodies.gets(bench.workflows("cpu", bench.sizes.workflows), "cpu")

    def create(server: Server) -> None:
        bench.loads.h2load(server, CREATE, bodies.create(), calls)

    def get(server: Server) -> None:
        bench.loads.different(server, GET, reads, calls)

    found = [
        row
        for method, load in ((CREATE, create), (GET, get))
        for row in _costs(bench, method, load)
    ]
    return found + _split(bench, found[0], lambda: create(bench.service()))


def memory(bench: Workbench) -> list[Row]:
    """Resident memory of a worker: at rest, warm, and after 200,000 creates."""
    dsn, creates = bench.database("bench_memory"), bench.sizes.creates
    with service(dsn) as server:
        at_rest = _resident(server)
        bench.loads.h2load(server, CREATE, bodies.create(), WARM)
        warm = _resident(server)
        bench.say(f"{creates:,} creates")
        with adds(dsn, creates):
            bench.loads.h2load(server, CREATE, bodies.create(), creates)
        after = _resident(server)
    return [
        Row("resident memory of a worker at rest", "MiB", "none", [at_rest]),
        Row(
            what=f"resident memory of a worker after {creates:,} creates",
            unit="MiB",
            load=H2LOAD,
            values=[after],
            reference=f"after {WARM:,} creates",
            beside=[warm],
            target=Target(1.2, at_least=False),
        ),
    ]


def fold(bench: Workbench) -> list[Row]:
    """How fast stored events are read back and folded into state, which a rebuild would do."""
    events = bench.sizes.history
    bench.say(f"recording a workflow of {events:,} events")
    workflow_id = with_history(bench.main, events)
    log = WorkflowLog(bench.main)

    def folded() -> float:
        workflow: Workflow | None = None
        version = 0
        began = perf_counter()
        for recorded in log.history(workflow_id):
            if isinstance(recorded.event, Forgotten):
                raise CallsFailed("an event was forgotten")
            workflow = evolve(workflow, recorded.event)
            version = recorded.version
        took = perf_counter() - began
        if version != events or workflow is None or workflow.failures != events - 1:
            raise CallsFailed(f"{version:,} of {events:,} events were folded")
        return events / took

    try:
        rates = bench.alternate({"fold": folded})["fold"]
    finally:
        log.close()
    what = f"events read by WorkflowLog.history and folded by evolve, {events:,} of one workflow"
    return [Row(what, "events/s", IN_PROCESS, rates)]


def _costs(bench: Workbench, method: str, load: Callable[[Server], None]) -> list[Row]:
    """Microseconds of a call."""
    service, noop = bench.service(), bench.noop()
    database: list[float] = []

    def ours() -> float:
        before, spent = _seconds(bench.postgres()), _seconds(service.process)
        load(service)
        database.append((_seconds(bench.postgres()) - before) * 1e6 / bench.sizes.calls)
        return (_seconds(service.process) - spent) * 1e6 / bench.sizes.calls

    def nothing() -> float:
        spent = _seconds(noop.process)
        load(noop)
        return (_seconds(noop.process) - spent) * 1e6 / bench.sizes.calls

    costs = bench.alternate({f"{method}, ours": ours, f"{method}, (a)": nothing})
    own, other = costs.values()
    tool = H2LOAD if method == CREATE else NATIVE
    return [
        Row(f"processor time of a {method}, server", "µs", tool, own, NOOP, other),
        Row(f"processor time of a {method}, PostgreSQL", "µs", tool, database),
    ]


def _split(bench: Workbench, server: Row, load: Callable[[], None]) -> list[Row]:
    """The server's processor time by part; none if this machine does not allow sampling."""
    bench.say("sampling the server's stacks")
    try:
        found = sampling.shares(bench.service().process, bench.sizes.profile_seconds, load)
    except sampling.SamplingRefused as refused:
        bench.say(f"no split of the processor time: {refused}")
        return []
    whole = server.spread.median
    return [
        Row(f"of a {CREATE} in the server: {part}", "µs", f"{H2LOAD}, py-spy", [share * whole])
        for part, share in found.items()
    ]


def _resident(server: Server) -> float:
    return float(server.process.memory_info().rss) / MIB


def _seconds(process: psutil.Process) -> float:
    """Processor time that a process and its children have used."""
    times = [process.cpu_times()]
    for child in process.children(recursive=True):
        try:
            times.append(child.cpu_times())
        except psutil.NoSuchProcess:  # Its time is among its parent's from now on.
            continue
    ended = times[0].children_user + times[0].children_system
    return float(ended + sum(one.user + one.system for one in times))
