"""Reads under load beside their references."""

from functools import partial

from tests.benchmarks import bodies
from tests.benchmarks.figures_write import NOOP, WIRE
from tests.benchmarks.processes import Server
from tests.benchmarks.results import NATIVE, Row, Target
from tests.benchmarks.workbench import Workbench

GET = "GetWorkflow"
LIST = "ListWorkflows"
PLAIN = "(d) one query a call"
A_PAGE = 50  # workflows, the service's default


def get(bench: Workbench) -> list[Row]:
    """GetWorkflow of 1,000 workflows in turn, 128 in flight."""
    ids = bench.workflows("reads", bench.sizes.workflows)
    sent, calls = bodies.gets(ids, "reads"), bench.sizes.calls

    def rate(server: Server) -> float:
        return bench.loads.different(server, GET, sent, calls).rate

    servers = {
        "ours": bench.service(),
        "(a)": bench.noop(),
        "(d)": bench.plain_read(),
        "(e)": bench.wire(),
    }
    for server in servers.values():
        bench.loads.different(server, GET, sent, len(sent))
    rates = bench.alternate({name: partial(rate, server) for name, server in servers.items()})
    what = f"GetWorkflow of {len(ids):,} workflows, 128 in flight"
    return [
        Row(what, "calls/s", NATIVE, rates["ours"], NOOP, rates["(a)"], Target(0.80)),
        Row(what, "calls/s", NATIVE, rates["ours"], PLAIN, rates["(d)"]),
        Row(what, "calls/s", NATIVE, rates["ours"], WIRE, rates["(e)"]),
    ]


def first_page(bench: Workbench) -> list[Row]:
    """ListWorkflows, the first page of 50, 128 in flight."""
    bench.workflows("lists", 2 * A_PAGE)
    service, noop, calls = bench.service(), bench.noop(), max(bench.sizes.calls // 16, 128)

    def rate(server: Server) -> float:
        return bench.loads.different(server, LIST, [bodies.page("lists")], calls).rate

    rates = bench.alternate({"ours": lambda: rate(service), "(a)": lambda: rate(noop)})
    what = f"ListWorkflows, a page of {A_PAGE}, 128 in flight"
    return [Row(what, "calls/s", NATIVE, rates["ours"], NOOP, rates["(a)"], Target(0.55))]
