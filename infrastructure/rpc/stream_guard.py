"""The guard of streams: each takes one request, and is answered by a StreamReply."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from application.access import Caller, Rule
from infrastructure.rpc.guard import Guard, broken
from infrastructure.rpc.method import ServiceTable, StreamRow, Surroundings
from infrastructure.rpc.recording import First, Recording, at_once
from infrastructure.rpc.stream import Source, StreamReply
from infrastructure.wire.calls import Stream, StreamMethod


def guarded_streams(
    table: ServiceTable,
    sources: Mapping[str, Source],
    surroundings: Surroundings,
    guard: Guard,
    recording: Recording | None = None,
) -> dict[str, StreamMethod]:
    """The streams of a service behind the guard, by their full names, for a wire.

    `sources` are by the methods' short names. Without `recording`, no access is recorded. Raises
    KeyError for a row without a source.
    """
    rules = table.rules()
    return {
        f"/{table.name}/{row.name}": _guarded(
            f"{table.name}/{row.name}",
            row,
            sources[row.name],
            rules[row.name],
            surroundings,
            guard,
            recording.first if recording else at_once,
        )
        for row in table.streams
    }


def _guarded(
    name: str,
    row: StreamRow[Any, Any],
    source: Source,
    rule: Rule,
    surroundings: Surroundings,
    guard: Guard,
    first: First,
) -> StreamMethod:
    def called(request: bytes, stream: Stream) -> bool:
        reply = StreamReply(name, stream, rule, guard)
        found = partial(go_on, request, reply)
        try:
            reply.enter()
            caller = guard.identification.known(stream)
            if caller is None:
                guard.identification.find(stream, found)
                return False
        except Exception as refused:  # noqa: BLE001 - as below
            reply.refuse(refused)
        else:
            found(caller)
        return False

    def go_on(request: bytes, reply: StreamReply, caller: Caller | Exception) -> None:
        if isinstance(caller, Exception):
            reply.refuse(caller)
            return
        try:
            if reply.ended:
                return  # Its client has cancelled meanwhile.
            reply.admit(caller)
            reply.take_part()
            message = row.message(request, surroundings)
            owner = row.owner(message) if row.owner is not None else ""
            reply.admit_for(owner)
            begin = partial(source, row.convert(message, surroundings), reply)
            first(row.name, message, owner, reply, begin)
        except Exception as error:  # noqa: BLE001 - nothing unmapped may leave, whatever it is
            reply.refuse(error)
        except BaseException as panic:  # noqa: BLE001 - a native library's panic is one
            reply.refuse(broken(panic))

    return called
