"""The services: their tables, and their methods and streams behind the guard."""

from collections.abc import Mapping

from infrastructure.identity.origin import Origins
from infrastructure.rpc.admin import methods as admin
from infrastructure.rpc.dispatch import answerers
from infrastructure.rpc.guard import Guard, guarded
from infrastructure.rpc.history import methods as history
from infrastructure.rpc.load import loads
from infrastructure.rpc.method import Surroundings
from infrastructure.rpc.recording import Recording
from infrastructure.rpc.served import Served
from infrastructure.rpc.stream import Source
from infrastructure.rpc.stream_guard import guarded_streams
from infrastructure.rpc.workflows import methods as workflows
from infrastructure.wire.calls import Method, StreamMethod
from infrastructure.wiring.lanes import Lanes, entrances

Sources = Mapping[str, Mapping[str, Source]]
"""What makes the messages of streams, by service and method."""

TABLES = (workflows.TABLE, history.TABLE, admin.TABLE)
"""The tables of all services."""


def served(
    lanes: Lanes,
    sources: Sources,
    surroundings: Surroundings,
    guard: Guard,
) -> Served:
    """All services behind their guard."""
    origins = Origins()
    ways = entrances(lanes, origins)
    methods: dict[str, Method] = {}
    streams: dict[str, StreamMethod] = {}
    for table in TABLES:
        recording = Recording(lanes.accesses, origins, table.rules())
        unary = answerers(table.methods, ways, lanes.checks, surroundings, recording)
        methods |= guarded(table.name, unary, table.rules(), guard, loads(table))
        source = sources.get(table.name, {})
        streams |= guarded_streams(table, source, surroundings, guard, recording)
    return Served([table.descriptor for table in TABLES], methods, streams)
