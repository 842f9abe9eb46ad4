"""The service of today beside an earlier revision of it, on databases of their own."""

from collections.abc import Callable

from tests.benchmarks import bodies
from tests.benchmarks.figures_read import A_PAGE, GET, LIST
from tests.benchmarks.figures_write import CREATE, INCREMENT
from tests.benchmarks.processes import Server
from tests.benchmarks.results import H2LOAD, NATIVE, Row, Target
from tests.benchmarks.workbench import POSITION, Workbench, adds, rows

LEAST = 0.97  # of the earlier revision's rate
MORE_ROUNDS = 3  # times as many as elsewhere: the ratios are close to 1

_IDS = "SELECT id::text FROM workflows WHERE user_id = %s ORDER BY created_position LIMIT %s"


class Revision:
    """A running service of one revision, with what the loads need to know of its data."""

    def __init__(self, bench: Workbench, server: Server, dsn: str) -> None:
        """Makes the workflows that are read and counted on."""
        self._bench = bench
        self._server = server
        self._dsn = dsn
        self._jobs = 0
        count = bench.sizes.workflows
        bench.loads.different(server, CREATE, [bodies.create()], count)
        self._ids = [row[0] for row in rows(dsn, _IDS, (bodies.USER, count))]

    def create(self) -> float:
        """Creates a second."""
        calls = self._bench.sizes.calls
        with adds(self._dsn, calls, POSITION):
            return self._bench.loads.h2load(self._server, CREATE, bodies.create("creates"), calls)

    def get(self) -> float:
        """Gets a second."""
        return self._rate(GET, bodies.gets(self._ids, bodies.USER))

    def increment(self) -> float:
        """Increments a second, each with a job of its own."""
        self._jobs += 1
        calls = self._bench.sizes.calls
        with adds(self._dsn, calls, POSITION):
            sent = bodies.increments(self._ids, calls, f"round-{self._jobs}")
            return self._rate(INCREMENT, sent)

    def page(self) -> float:
        """Pages a second."""
        calls = max(self._bench.sizes.calls // 16, 128)
        return self._rate(LIST, [bodies.page(bodies.USER)], calls)

    def _rate(self, method: str, sent: list[bytes], calls: int | None = None) -> float:
        calls = calls or self._bench.sizes.calls
        return self._bench.loads.different(self._server, method, sent, calls).rate


def before(bench: Workbench) -> list[Row]:
    """Create, Get, Increment and List, 128 in flight, today and at the earlier revision.

    Returns nothing if the run names no earlier revision.
    """
    if bench.revision is None:
        return []
    today = Revision(bench, *bench.today())
    earlier = Revision(bench, *bench.earlier())
    loads: dict[str, tuple[str, Callable[[Revision], float]]] = {
        "CreateWorkflow": (H2LOAD, Revision.create),
        "GetWorkflow": (NATIVE, Revision.get),
        f"Increment on {bench.sizes.workflows:,} workflows": (NATIVE, Revision.increment),
        f"ListWorkflows, a page of {A_PAGE}": (NATIVE, Revision.page),
    }
    return [_row(bench, what, *load, today, earlier) for what, load in loads.items()]


def _row(
    bench: Workbench,
    what: str,
    load: str,
    rate: Callable[[Revision], float],
    today: Revision,
    earlier: Revision,
) -> Row:
    rate(today), rate(earlier)
    rates = bench.alternate(
        {f"{what}, today": lambda: rate(today), f"{what}, before": lambda: rate(earlier)},
        MORE_ROUNDS * bench.sizes.rounds,
    )
    own, other = rates.values()
    reference = f"the service at {bench.revision}"
    return Row(f"{what}, 128 in flight", "calls/s", load, own, reference, other, Target(LEAST))
