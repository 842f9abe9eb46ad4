"""What the followers of the feed cost those who write."""

from contextlib import ExitStack
from time import monotonic, sleep

from tests.benchmarks import bodies
from tests.benchmarks.figures_write import CREATE
from tests.benchmarks.generators import CallsFailed
from tests.benchmarks.processes import Server, service
from tests.benchmarks.results import H2LOAD, Row, Target
from tests.benchmarks.workbench import Workbench, adds, value

ROUNDS = 2  # times as many as of other figures: the difference is small
CAUGHT_UP_WITHIN = 60.0  # seconds
_BEHIND = """
    SELECT (SELECT coalesce(max(notification_id), 0) FROM workflow_events)
         - (SELECT coalesce(min(position), 0) FROM followers)
"""


def followers(bench: Workbench) -> list[Row]:
    """CreateWorkflow, 128 in flight, with the search and the log of checkpoints, and without."""
    calls, body = bench.sizes.calls, bodies.create()
    followed, alone = bench.database("bench_followed"), bench.database("bench_alone")
    folder = bench.directory / "followed"
    log = ("--log-dir", str(folder / "log"), "--data-dir", str(folder))

    def rate(server: Server, dsn: str) -> float:
        with adds(dsn, calls):
            return bench.loads.h2load(server, CREATE, body, calls)

    def with_followers() -> float:
        found = rate(servers[0], followed)
        _wait_for_followers(followed)
        return found

    with ExitStack() as stack:
        servers = [
            stack.enter_context(service(followed, *log)),
            stack.enter_context(service(alone, "--no-followers")),
        ]
        for server in servers:  # Warm, and every call answered OK.
            bench.loads.different(server, CREATE, [body], calls // 8)
        rates = bench.alternate(
            {"with followers": with_followers, "without": lambda: rate(servers[1], alone)},
            ROUNDS * bench.sizes.rounds,
        )
    what = "CreateWorkflow with search and checkpoints, 128 in flight"
    with_them, without = rates.values()
    return [Row(what, "calls/s", H2LOAD, with_them, "without followers", without, Target(0.90))]


def _wait_for_followers(dsn: str) -> None:
    """Lets the followers come to the end of the feed. Raises CallsFailed."""
    until = monotonic() + CAUGHT_UP_WITHIN
    while value(dsn, _BEHIND):
        if monotonic() > until:
            raise CallsFailed("the followers do not come to the end of the feed")
        sleep(0.05)
