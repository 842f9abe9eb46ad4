"""Attacks by frames: what one client can send to a server on purpose. Bounded in count and time.

Each attack sends on a new connection; it need not end. The caller closes the connection, and starts
the attack again while there is time.
"""

import gzip
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import repeat
from random import Random

from grpc_health.v1 import health_pb2
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from workflows import workflows_pb2 as pb

from tests.support.http2 import Http2, data, ping, reset

GET = "/workflows.WorkflowsService/GetWorkflow"
CREATE = "/workflows.WorkflowsService/CreateWorkflow"
LIST = "/workflows.WorkflowsService/ListWorkflows"
CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
MIB = 1024 * 1024
BURST = 200  # frames or calls before an attack looks whether its connection still lives

Attack = Callable[[str], None]
"""Attacks the service at an address once. May raise OSError or Refused."""


def calls_without_a_message(client: Http2) -> None:
    """Every kind of method is called, and no message follows."""
    for path in (GET, CHECK, WATCH, REFLECTION, "/nobody.Offers/This"):
        client.send(*(client.headers(path) for _ in range(BURST)))
    client.drain()


def half_messages(client: Http2) -> None:
    """A message is announced, and never finished."""
    for _ in range(BURST):
        headers = client.headers(CREATE)
        started = DataFrame(headers.stream_id)
        started.data = struct.pack(">BI", 0, MIB) + b"x" * 1000
        client.send(headers, started)
    client.drain()


def rapid_reset(client: Http2) -> None:
    """Calls are begun and cancelled at once."""
    for _ in range(BURST):
        headers, message = client.call(GET, b"\x0a\x01a")
        client.send(headers, message, reset(headers.stream_id))
    client.drain()


def pings(client: Http2) -> None:
    """Pings follow one another."""
    client.send(*repeat(ping(), 10 * BURST))
    client.drain()


def settings(client: Http2) -> None:
    """Settings change all the time."""
    frame = SettingsFrame(0)
    frame.settings = {3: 100, 4: 65535}
    client.send(*repeat(frame, 10 * BURST))
    client.drain()


def empty_data(client: Http2) -> None:
    """A call's message consists of nothing, many times."""
    headers = client.headers(CREATE)
    client.send(headers, *repeat(DataFrame(headers.stream_id), 10 * BURST))
    client.drain()


def windows(client: Http2) -> None:
    """The window grows byte by byte."""
    frame = WindowUpdateFrame(0)
    frame.window_increment = 1
    client.send(*repeat(frame, 10 * BURST))
    client.drain()


def continuations(client: Http2) -> None:
    """Headers never end."""
    begin = HeadersFrame(1)
    begin.data = b""
    more = ContinuationFrame(1)
    more.data = Encoder().encode([("x", "y" * 8000)])
    client.send(begin, *repeat(more, BURST))
    client.drain()


def header_bomb(client: Http2) -> None:
    """One large header stands in the table, and is named a thousand times."""
    encoder = Encoder()
    for stream in range(1, 20, 2):
        frame = HeadersFrame(stream)
        frame.flags |= {"END_HEADERS", "END_STREAM"}
        frame.data = b"".join(encoder.encode([("bomb", "z" * 3000)]) for _ in range(1000))
        client.send(frame)
    client.drain()


def large_metadata(client: Http2) -> None:
    """Calls carry more metadata than is allowed, before the client knows what is."""
    for _ in range(10):
        headers = client.headers(GET, [(f"x-{n}", "y" * 300) for n in range(40)])
        client.send(headers, data(headers.stream_id, b""))
    client.drain()


def zip_bomb(client: Http2) -> None:
    """A small message grows to 64 MiB."""
    bomb = gzip.compress(bytes(64 * MIB), 1)
    headers = client.headers(CREATE, [("grpc-encoding", "gzip")])
    client.send(headers)
    message = struct.pack(">BI", 1, len(bomb)) + bomb
    for start in range(0, len(message), 16_000):
        frame = DataFrame(headers.stream_id)
        frame.data = message[start : start + 16_000]
        client.send(frame)
    client.drain()


def lies_about_lengths(client: Http2) -> None:
    """Messages and frames claim to be larger than they are."""
    for length in (2**31, 2**32 - 1, 4 * MIB):
        headers = client.headers(CREATE)
        frame = DataFrame(headers.stream_id)
        frame.data = struct.pack(">BI", 0, length)
        client.send(headers, frame)
    client.socket.sendall(b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + b"x" * 1000)
    client.drain()


def illegal_frames(client: Http2) -> None:
    """Bytes that are no frames, and frames at forbidden places."""
    client.send(data(7, b"nobody opened this"))
    on_no_stream = b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x"  # data on stream 0
    client.socket.sendall(on_no_stream + Random(1).randbytes(4000))
    client.drain()


def answers_unread(client: Http2) -> None:
    """Lists and watches are asked for, and no answer may leave: the windows are closed."""
    wanted = pb.ListWorkflowsRequest(user_id="neighbour").SerializeToString()
    watched = health_pb2.HealthCheckRequest(service="").SerializeToString()
    closed = SettingsFrame(0)
    closed.settings = {4: 0}
    client.send(closed)
    for _ in range(BURST // 4):
        client.send(*client.call(LIST, wanted), *client.call(WATCH, watched))
    client.drain()


def half_payloads(client: Http2) -> None:
    """As half messages, with all that the windows let through."""
    for _ in range(BURST):
        headers = client.headers(CREATE)
        started = DataFrame(headers.stream_id)
        started.data = struct.pack(">BI", 0, MIB) + bytes(16_000)
        rest = DataFrame(headers.stream_id)
        rest.data = bytes(16_000)
        client.send(headers, started, *repeat(rest, 12))
    client.drain()


def header_tables(client: Http2) -> None:
    """The table of headers is filled anew, and resized, all the time."""
    encoder = Encoder()
    for stream in range(1, 2 * BURST, 2):
        encoder.header_table_size = 4096 if stream % 4 == 1 else 0
        frame = HeadersFrame(stream)
        frame.flags |= {"END_HEADERS", "END_STREAM"}
        frame.data = encoder.encode([(f"x-{stream}-{n}", "y" * 200) for n in range(20)])
        client.send(frame)
    client.drain()


def health_of_many_names(client: Http2) -> None:
    """Watches of names that nobody serves, each of them long."""
    for number in range(20):
        name = f"{number}-" + "n" * 900_000
        asked = health_pb2.HealthCheckRequest(service=name).SerializeToString()
        headers = client.headers(WATCH)
        client.send(headers, *pieces(headers.stream_id, asked))
    client.drain()


def health_watches_that_come_and_go(client: Http2) -> None:
    """Watches begin, and are cancelled while their first answer is on its way."""
    asked = health_pb2.HealthCheckRequest(service="").SerializeToString()
    for _ in range(BURST):
        headers, message = client.call(WATCH, asked)
        client.send(headers, message)
        client.send(reset(headers.stream_id))
    client.drain()


def reflection_of_nothing(client: Http2) -> None:
    """Streams of reflection that send what is no message, or nothing."""
    for number in range(BURST):
        headers = client.headers(REFLECTION)
        client.send(headers, *([data(headers.stream_id, b"\xff\xff")] if number % 2 else []))
    client.drain()


def broken_payloads(client: Http2) -> None:
    """Nested arrays in a request that is refused for another field."""
    request = pb.CreateWorkflowRequest(
        name="x", kind="http", payload='{"x":' + "[" * 400_000 + "]" * 400_000 + "}"
    ).SerializeToString()
    for _ in range(5):
        headers = client.headers(CREATE)
        client.send(headers, *pieces(headers.stream_id, request))
    client.drain()


ON_ANOTHER_PROTOCOL = {
    "tls_hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "http1": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100,
    "nothing": b"",
    "half_a_preface": b"PRI * HT",
}
"""The first bytes of connections that never become HTTP/2, by the names of the attacks."""


def pieces(stream: int, message: bytes) -> Iterator[DataFrame]:
    """The frames of a message that is too large for one, and the end of the client's side."""
    whole = struct.pack(">BI", 0, len(message)) + message
    for start in range(0, len(whole), 16_000):
        frame = DataFrame(stream)
        frame.data = whole[start : start + 16_000]
        if start + 16_000 >= len(whole):
            frame.flags.add("END_STREAM")
        yield frame


def _speaking(first: bytes) -> Attack:
    """Ten connections at once that begin with other bytes than HTTP/2 does."""

    def attack(address: str) -> None:
        host, _, port = address.rpartition(":")
        with ExitStack() as stack:
            for _ in range(10):
                line = stack.enter_context(socket.create_connection((host, int(port)), timeout=0.2))
                line.sendall(first)
            with suppress(TimeoutError):
                while line.recv(65536):
                    pass

    return attack


def _on_a_connection(frames: Callable[[Http2], None]) -> Attack:
    def attack(address: str) -> None:
        with Http2(address) as client:
            frames(client)

    return attack


BY_FRAMES: dict[str, Attack] = {
    attack.__name__: _on_a_connection(attack)
    for attack in (
        calls_without_a_message,
        half_messages,
        half_payloads,
        rapid_reset,
        pings,
        settings,
        empty_data,
        windows,
        continuations,
        header_bomb,
        header_tables,
        large_metadata,
        zip_bomb,
        lies_about_lengths,
        illegal_frames,
        answers_unread,
        health_of_many_names,
        health_watches_that_come_and_go,
        reflection_of_nothing,
        broken_payloads,
    )
} | {name: _speaking(first) for name, first in ON_ANOTHER_PROTOCOL.items()}
