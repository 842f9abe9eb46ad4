"""Whether size matters: many events stored, many workflows of one user, many events of one."""

from time import perf_counter

import grpc
from workflows import workflows_pb2 as pb
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

from application.cursors import Cursors
from application.ports import Feed
from domain.filters import Filters
from tests.benchmarks import bodies, growth, growth_rows
from tests.benchmarks.figures_read import A_PAGE, LIST
from tests.benchmarks.figures_write import CREATE, INCREMENT
from tests.benchmarks.generators import ONE, CallsFailed
from tests.benchmarks.histories import with_history
from tests.benchmarks.processes import Server, service
from tests.benchmarks.results import H2LOAD, NATIVE, Row, Target
from tests.benchmarks.workbench import Workbench, adds, value

GROWN = "bench_grown"
EMPTY = "bench_empty"
MORE_ROUNDS = 3  # times as many as elsewhere, each shorter: the ratios are close to 1
MOST_ROUNDS = 7  # the same if the target allows less noise
LARGE_PAGE = 1000  # workflows, the most that the service can be told to put into a page

DIRECT = [("grpc.enable_http_proxy", 0)]

_EPOCH = "SELECT epoch FROM feed_epoch"
_SECRET = "SELECT secret FROM service_secrets WHERE name = 'cursor'"
_BEFORE_LAST_PAGE = """
    SELECT created_position FROM workflows WHERE user_id = %s AND deleted_at IS NULL
    ORDER BY created_position OFFSET %s LIMIT 1
"""


def million(bench: Workbench) -> list[Row]:
    """The list of a user with a million workflows: its last page beside its first, and all."""
    grown, owned = bench.database(GROWN), bench.sizes.stored[0]
    growth.fill(grown, owned, owned, bench.say)
    last = bodies.page(growth_rows.BIG_USER, _cursor_of_last_page(grown))
    first = bodies.page(growth_rows.BIG_USER)
    with service(grown) as server:
        _check_last_page(server, grown)
        calls = bench.sizes.sequential // 2

        def p50(body: bytes) -> float:
            return bench.loads.different(server, LIST, [body], calls, ONE).p50

        p50(first), p50(last)
        medians = bench.alternate(
            {"last page": lambda: p50(last), "first page": lambda: p50(first)},
            MOST_ROUNDS * bench.sizes.rounds,
        )
    bench.say(f"listing all {owned:,} workflows of one user")
    with service(grown, "--page-size", str(LARGE_PAGE)) as server:
        answered = _walk(server, owned)
    return [
        Row(
            what=f"p50 of the last page ({A_PAGE}) of {owned:,} workflows, one call at a time",
            unit="µs",
            load=NATIVE,
            values=medians["last page"],
            reference="the first page",
            beside=medians["first page"],
            target=Target(1.2, at_least=False),
        ),
        Row(
            f"all {owned:,} workflows listed, pages of {LARGE_PAGE:,}, client and server together",
            "workflows/s",
            "Python client",
            [answered],
        ),
    ]


def stored(bench: Workbench) -> list[Row]:
    """CreateWorkflow, 128 in flight, with 1 M and 5 M events stored beside none."""
    return [_stored(bench, events) for events in bench.sizes.stored]


def _stored(bench: Workbench, events: int) -> Row:
    empty, grown = bench.database(EMPTY), bench.database(GROWN)
    growth.fill(grown, events, bench.sizes.stored[0], bench.say)
    calls, body = max(bench.sizes.calls // 2, 128), bodies.create()

    def rate(server: Server, dsn: str) -> float:
        with adds(dsn, calls):
            return bench.loads.h2load(server, CREATE, body, calls)

    with service(empty) as without, service(grown) as full:
        rate(without, empty), rate(full, grown)
        rates = bench.alternate(
            {"grown": lambda: rate(full, grown), "empty": lambda: rate(without, empty)},
            MORE_ROUNDS * bench.sizes.rounds,
        )
    return Row(
        what=f"CreateWorkflow with {events:,} events stored, 128 in flight",
        unit="calls/s",
        load=H2LOAD,
        values=rates["grown"],
        reference="with none stored at the start",
        beside=rates["empty"],
        target=Target(0.90),
    )


def long_history(bench: Workbench) -> list[Row]:
    """Increment, 128 in flight, on a workflow with 100,000 events beside one with 10.

    All workflows are made before the first round, and each is warmed up by as many calls just
    before it is measured: they differ in their histories only.
    """
    many, few, rounds = bench.sizes.history, 10, MOST_ROUNDS * bench.sizes.rounds
    bench.say(f"recording a workflow of {many:,} events")
    long, server = with_history(bench.main, many), bench.service()
    short = iter([with_history(bench.main, few) for _ in range(rounds)])
    calls = max(bench.sizes.calls // 4, 128)
    jobs = iter(range(1_000_000))

    def increments(workflow_id: str, count: int) -> float:
        sent = bodies.increments([workflow_id], count, f"long-{next(jobs)}")
        with adds(bench.main, count):
            return bench.loads.different(server, INCREMENT, sent, count).rate

    def rate(workflow_id: str) -> float:
        increments(workflow_id, calls // 4)
        return increments(workflow_id, calls)

    rates = bench.alternate(
        {"long history": lambda: rate(long), "short": lambda: rate(next(short))}, rounds
    )
    return [
        Row(
            what=f"Increment on a workflow with {many:,} events, 128 in flight",
            unit="calls/s",
            load=NATIVE,
            values=rates["long history"],
            reference=f"on one with {few}, used alike",
            beside=rates["short"],
            target=Target(0.95),
        )
    ]


def _cursor_of_last_page(dsn: str) -> str:
    """The cursor that the page before the last would end with."""
    before = value(dsn, _BEFORE_LAST_PAGE, (growth_rows.BIG_USER, A_PAGE))
    secret = bytes(value(dsn, _SECRET))
    feed = Feed(value(dsn, _EPOCH))
    return Cursors(secret, lambda: feed).write(growth_rows.BIG_USER, Filters(), before)


def _check_last_page(server: Server, dsn: str) -> None:
    request = pb.ListWorkflowsRequest(
        user_id=growth_rows.BIG_USER, cursor=_cursor_of_last_page(dsn)
    )
    with grpc.insecure_channel(server.address, options=DIRECT) as channel:
        page = WorkflowsServiceStub(channel).ListWorkflows(request, timeout=60)
    if len(page.workflows) != A_PAGE or page.cursor:
        raise CallsFailed(f"{len(page.workflows)} workflows are no last page")


def _walk(server: Server, expected: int) -> float:
    """Workflows a second over all pages. Raises CallsFailed unless each was listed once."""
    seen: set[str] = set()
    request = pb.ListWorkflowsRequest(user_id=growth_rows.BIG_USER)
    began = perf_counter()
    with grpc.insecure_channel(server.address, options=DIRECT) as channel:
        stub = WorkflowsServiceStub(channel)
        while True:
            page = stub.ListWorkflows(request, timeout=60)
            seen.update(workflow.id for workflow in page.workflows)
            request.cursor = page.cursor
            if not page.cursor:
                break
    took = perf_counter() - began
    if len(seen) != expected:
        raise CallsFailed(f"{len(seen):,} of {expected:,} workflows were listed")
    return expected / took
