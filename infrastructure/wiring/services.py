"""The services: their tables, and their methods and streams behind the guard."""

from collections.abc import Mapping

from infrastructure.rpc.admin import methods as admin
from infrastructure.rpc.dispatch import answerers
from infrastructure.rpc.guard import Guard, guarded
from infrastructure.rpc.history import methods as history
from infrastructure.rpc.method import Surroundings
from infrastructure.rpc.served import Served
from infrastructure.rpc.stream import Source, guarded_streams
from infrastructure.rpc.workflows import methods as workflows
from infrastructure.wire.calls import Method, StreamMethod
from infrastructure.wiring.lanes import Lanes, entrances

TABLES = (workflows.TABLE, history.TABLE, admin.TABLE)
"""The tables of all services."""


def served(
    lanes: Lanes,
    sources: Mapping[str, Mapping[str, Source]],
    surroundings: Surroundings,
    guard: Guard,
) -> Served:
    """All services behind their guard. `sources` are those of streams, by service and method."""
    ways = entrances(lanes)
    methods: dict[str, Method] = {}
    streams: dict[str, StreamMethod] = {}
    for table in TABLES:
        unary = answerers(table.methods, ways, lanes.checks, surroundings)
        methods |= guarded(table.name, unary, table.rules(), guard)
        streams |= guarded_streams(table, sources.get(table.name, {}), surroundings, guard)
    return Served([table.descriptor for table in TABLES], methods, streams)
