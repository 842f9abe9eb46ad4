"""Guarded streams on both bodies of the wire: what is sent, at whose pace, and how they end."""

from collections.abc import Iterator
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, cast

import grpc
import pytest
from workflows import history_pb2 as pb

from application.access import ANONYMOUS, Caller, Role, Unauthenticated
from domain.errors import InvalidFields, Violation
from infrastructure.lanes.refusals import CallerLeft
from infrastructure.rpc.allowance import Allowance, AtOnce
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.guard import Guard
from infrastructure.rpc.identification import Found
from infrastructure.rpc.method import ServiceTable, StreamRow, Surroundings
from infrastructure.rpc.pumps import Pumps
from infrastructure.rpc.stream import Source, StreamReply
from infrastructure.rpc.stream_guard import guarded_streams
from infrastructure.telemetry.observer import EndedCall, InertObserver
from infrastructure.wire.calls import Call, Stream
from tests.support.waiting import until
from tests.support.wire_server import SOON, Serving, WireServer

SERVICE = pb.DESCRIPTOR.services_by_name["WorkflowHistoryService"]
WATCH = f"/{SERVICE.full_name}/WatchEvents"
ALICE = Caller("tests", "alice", frozenset({Role.USER}))
SURROUNDINGS = cast("Surroundings", None)
Code = grpc.StatusCode


class Listener(InertObserver):
    """Keeps how calls ended."""

    def __init__(self) -> None:
        self.ended: SimpleQueue[tuple[str, str]] = SimpleQueue()

    def call_ended(self, method: str, code: str, seconds: float, call: EndedCall) -> None:
        """See Observer."""
        self.ended.put((method, code))


class Streams:
    """Starts servers of one stream, whose source the test gives."""

    def __init__(self, serving: Serving) -> None:
        self.gate = Gate()
        self.listener = Listener()
        self.caller: Caller | Exception = ANONYMOUS
        self.allowance: Allowance | None = None
        self._serving = serving

    def __call__(self, source: Source) -> Any:
        """A server, as a context."""

        def after(request: pb.WatchEventsRequest, _: Surroundings) -> int:
            if request.after < 0:
                raise InvalidFields([Violation("after", "is negative")])
            return request.after

        row = StreamRow("WatchEvents", pb.WatchEventsRequest, after, lambda r: r.filter.user_id)
        table = ServiceTable(SERVICE, (), (row,))
        guard = Guard(self.gate, self.listener, self, of_streams=self.allowance)
        streams = guarded_streams(table, {"WatchEvents": source}, SURROUNDINGS, guard)
        return self._serving({}, streams, patience=2.0)

    @property
    def code(self) -> str:
        """The code with which the next call ended, as the observer was told."""
        return self.listener.ended.get(timeout=SOON)[1]

    def known(self, _: Call | Stream) -> None:
        """See Identification: the caller is always found elsewhere."""

    def find(self, _: Call | Stream, found: Found) -> None:
        """See Identification."""
        Thread(target=found, args=(self.caller,)).start()


@pytest.fixture
def streams(serving: Serving) -> Streams:
    """A service of one stream."""
    return Streams(serving)


@pytest.fixture
def pumps() -> Iterator[Pumps]:
    """Two threads, one for each caller."""
    pumps = Pumps("tests", limit=2, share=1)
    yield pumps
    pumps.close()


def watch(server: WireServer, after: int = 0, user_id: str = "") -> Any:
    """A call of the stream."""
    request = pb.WatchEventsRequest(after=after, filter=pb.EventFilter(user_id=user_id))
    call: Any = server.channel.unary_stream(
        WATCH, response_deserializer=pb.WatchEventsResponse.FromString
    )
    return call(request.SerializeToString(), timeout=SOON)


def error(call: Any) -> Any:
    """The error with which a stream ends."""
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    return caught.value


def cursor(number: int) -> pb.WatchEventsResponse:
    """A message with a number in it, of some size."""
    return pb.WatchEventsResponse(cursor=str(number).ljust(20_000))


def test_all_messages_arrive_in_order_and_then_the_end(streams: Streams, pumps: Pumps) -> None:
    def source(after: int, reply: StreamReply) -> None:
        def messages(after: int, reply: StreamReply) -> Iterator[pb.WatchEventsResponse]:
            yield from map(cursor, range(after, 100))

        pumps.source(messages)(after, reply)

    with streams(source) as server:
        assert [int(each.cursor) for each in watch(server, after=3)] == list(range(3, 100))
        assert streams.code == "OK"


def test_a_stream_that_is_completed_at_once_sends_what_was_sent_before(streams: Streams) -> None:
    def source(_: int, reply: StreamReply) -> None:
        reply.send(cursor(1))
        reply.complete((("x-some", "fact"),))

    with streams(source) as server:
        call = watch(server)
        assert [int(each.cursor) for each in call] == [1]
        assert ("x-some", "fact") in [(key, value) for key, value in call.trailing_metadata()]


def test_a_source_is_asked_for_a_message_only_when_the_one_before_was_sent(
    streams: Streams,
) -> None:
    taken: list[int] = []

    def source(_: int, reply: StreamReply) -> None:
        def take() -> pb.WatchEventsResponse:
            taken.append(len(taken))
            return cursor(len(taken))

        reply.offer(take)

    with streams(source) as server:
        call = watch(server)
        assert int(next(call).cursor) == 1
        assert streams.code == "CANCELLED"  # Its client does not read: patience ends it.
        assert 1 < len(taken) < 10_000


def test_a_refusal_ends_a_stream_after_its_messages(streams: Streams, pumps: Pumps) -> None:
    def messages(_: int, reply: StreamReply) -> Iterator[pb.WatchEventsResponse]:
        yield cursor(1)
        raise KeyError("password")

    with streams(pumps.source(messages)) as server:
        call = watch(server)
        refused = error(call)
        assert (refused.code(), streams.code) == (Code.INTERNAL, "INTERNAL")
        assert "password" not in refused.details()


def test_a_client_that_cancels_ends_the_source(streams: Streams, pumps: Pumps) -> None:
    closed = Event()

    def messages(_: int, reply: StreamReply) -> Iterator[pb.WatchEventsResponse]:
        try:
            for number in range(10**6):
                yield cursor(number)
        finally:
            closed.set()

    with streams(pumps.source(messages)) as server:
        call = watch(server)
        next(call)
        call.cancel()
        assert closed.wait(SOON)
        assert streams.code == "CANCELLED"


def test_streams_beyond_the_share_of_a_caller_are_refused_until_one_ends(
    streams: Streams, pumps: Pumps
) -> None:
    free = Event()

    def messages(_: int, reply: StreamReply) -> Iterator[pb.WatchEventsResponse]:
        yield cursor(1)
        assert free.wait(SOON)

    with streams(pumps.source(messages)) as server:
        first = watch(server)
        next(first)
        assert error(watch(server)).code() is Code.RESOURCE_EXHAUSTED
        free.set()
        assert list(first) == []
        until(lambda: not pumps._under_way)
        assert len(list(watch(server))) == 1


def test_streams_beyond_the_allowance_of_a_caller_are_refused_until_one_ends(
    streams: Streams,
) -> None:
    streams.caller, streams.allowance = ALICE, Allowance(AtOnce(1))

    def source(_: int, reply: StreamReply) -> None:
        reply.send(cursor(1))

    with streams(source) as server:
        first = watch(server, user_id="alice")
        next(first)
        assert error(watch(server, user_id="alice")).code() is Code.RESOURCE_EXHAUSTED
        assert streams.code == Code.RESOURCE_EXHAUSTED.name
        first.cancel()
        assert streams.code == Code.CANCELLED.name
        next(watch(server, user_id="alice"))


def test_a_gate_that_closes_sends_streams_elsewhere(streams: Streams) -> None:
    replies: SimpleQueue[StreamReply] = SimpleQueue()
    left = Event()

    def source(_: int, reply: StreamReply) -> None:
        reply.when_cancelled(left.set)
        replies.put(reply)

    with streams(source) as server:
        call = watch(server)
        reply = replies.get(timeout=SOON)
        streams.gate.close()
        assert streams.gate.drained(0), "nothing waits for streams"
        assert error(call).code() is Code.UNAVAILABLE
        assert left.wait(SOON)
        with pytest.raises(CallerLeft):
            reply.send(cursor(1))
        assert error(watch(server)).code() is Code.UNAVAILABLE


@pytest.mark.parametrize(
    ("caller", "asked", "code"),
    [
        (Unauthenticated("Who?"), {}, Code.UNAUTHENTICATED),
        (Caller("tests", "root", frozenset({Role.ADMIN})), {}, Code.PERMISSION_DENIED),
        (ALICE, {"user_id": "bob"}, Code.PERMISSION_DENIED),
        (ALICE, {}, Code.PERMISSION_DENIED),
        (ALICE, {"user_id": "alice", "after": -1}, Code.INVALID_ARGUMENT),
        (ALICE, {"user_id": "alice"}, Code.OK),
        (Caller("tests", "eve", frozenset({Role.AUDITOR})), {"user_id": "bob"}, Code.OK),
        (ANONYMOUS, {"user_id": "bob"}, Code.OK),
    ],
)
def test_a_stream_is_refused_before_its_first_message(
    streams: Streams, caller: Caller | Exception, asked: dict[str, Any], code: grpc.StatusCode
) -> None:
    callers: list[Caller] = []

    def source(_: int, reply: StreamReply) -> None:
        callers.append(reply.caller)
        reply.complete()

    streams.caller = caller
    with streams(source) as server:
        call = watch(server, **asked)
        if code is Code.OK:
            assert list(call) == []
            assert callers == [caller]
        else:
            assert error(call).code() is code
            assert callers == []
        assert streams.code == code.name
