"""What one client may take of the HTTP door, on real connections."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from workflows import workflows_pb2 as pb

from infrastructure.contract import SERVICE
from infrastructure.http.bounds import Bounds
from infrastructure.http.pages import application
from infrastructure.http.server import HttpServer
from infrastructure.identity.tls import TlsFiles
from infrastructure.rpc.served import Served
from infrastructure.settings import Settings
from infrastructure.wire.calls import Call
from infrastructure.wiring.limits import http_bounds
from tests.support.certificates import LOCAL, Authority
from tests.support.waiting import until

GET = f"/{SERVICE.full_name}/GetWorkflow"
DELETE = f"/{SERVICE.full_name}/DeleteWorkflow"
SOON = 30.0  # seconds: patience with a slow machine, not an expectation
JSON = "content-type: application/json"
LARGE = pb.GetWorkflowResponse(payload="x" * 50_000_000).SerializeToString()

Open = Callable[..., socket.socket]


class Methods:
    """A method that answers at once, and one that never does."""

    def __init__(self) -> None:
        self.cancelled = Event()
        self.answer = b""

    def get(self, _: bytes, call: Call) -> None:
        """Answers."""
        call.answer(self.answer)

    def hold(self, _: bytes, call: Call) -> None:
        """Waits."""
        call.when_cancelled(self.cancelled.set)


@pytest.fixture
def methods() -> Methods:
    """The methods behind the doors."""
    return Methods()


@pytest.fixture
def opened(methods: Methods) -> Iterator[Callable[..., tuple[str, int]]]:
    """Opens doors with bounds and origins; their addresses."""
    with ExitStack() as stack:

        def door(
            origins: tuple[str, ...] = (), tls: TlsFiles | None = None, **given: Any
        ) -> tuple[str, int]:
            limits = Bounds(**given)
            served = Served([SERVICE], {GET: methods.get, DELETE: methods.hold})
            page = (b"", "text/plain")
            app = application(served, {}, dict, lambda: page, limits, origins)
            listening = socket.create_server(("127.0.0.1", 0))
            server = HttpServer(app, listening, limits, tls)
            stack.callback(server.close, 1)
            address: tuple[str, int] = listening.getsockname()
            return address

        yield door


@contextmanager
def connected(address: tuple[str, int], *sent: str) -> Iterator[socket.socket]:
    """A connection on which this was sent."""
    with socket.create_connection(address, SOON) as connection:
        connection.sendall("\r\n".join(sent).encode())
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    """What the door sends until it closes the connection."""
    found = b""
    with suppress(ConnectionError):
        while part := connection.recv(65536):
            found += part
    return found


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ([""], b""),
        ([f"POST {GET} HTTP/1.1", "x-half: "], b"408"),
        ([f"POST {GET} HTTP/1.1", "content-length: 5", JSON, "", "half"], b"deadline_exceeded"),
    ],
    ids=["nothing", "half its headers", "half its body"],
)
def test_a_request_that_does_not_come_is_not_waited_for(
    opened: Any, sent: list[str], told: bytes
) -> None:
    with connected(opened(handshake=0.2, patience=0.2), *sent) as connection:
        said = until_closed(connection)
    assert told in said
    assert bool(told) is bool(said)


def test_a_connection_that_does_not_encrypt_is_not_waited_for(opened: Any, tmp_path: Path) -> None:
    certificate = Authority(tmp_path).sign("service", LOCAL)
    tls = TlsFiles(certificate, certificate.with_suffix(".key"), None)
    with connected(opened(tls=tls, handshake=0.2)) as connection:
        assert until_closed(connection) == b""


def test_headers_are_bounded_also_if_they_never_end(opened: Any) -> None:
    address = opened(metadata_bytes=8192)
    many = [f"x-{number}: {'y' * 70}" for number in range(80)]
    with connected(address, f"POST {GET} HTTP/1.1", *many, "", "") as connection:
        assert b"431" in until_closed(connection)
    with connected(address, f"POST {GET} HTTP/1.1", f"x-endless: {'y' * 20_000}") as connection:
        assert b"resource_exhausted" in until_closed(connection)
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}", trust_env=False) as client:
        assert client.post(GET, json={}, headers={"x-long": "y" * 5000}).status_code == 200


def test_a_connection_that_is_old_is_closed_behind_an_answer(opened: Any) -> None:
    host, port = opened(age=0.01)
    with httpx.Client(base_url=f"http://{host}:{port}", trust_env=False) as client:
        until(lambda: client.post(GET, json={}).headers.get("connection") == "close")
        assert client.post(GET, json={}).status_code == 200


def test_connections_beyond_the_bound_are_closed_and_later_ones_are_not(opened: Any) -> None:
    address = opened(connections=2)
    with connected(address) as one, connected(address):
        one.sendall(f"GET /livez HTTP/1.1\r\n{JSON}\r\n\r\n".encode())
        assert b"200" in one.recv(65536)
        with connected(address) as third:
            assert until_closed(third) == b""
    until(lambda: httpx.get(f"http://{address[0]}:{address[1]}/livez", trust_env=False))


def test_an_answer_that_is_not_read_is_given_up(opened: Any, methods: Methods) -> None:
    methods.answer = LARGE
    address = opened(patience=0.3)
    request = (f"POST {GET} HTTP/1.1", JSON, "content-length: 2", "", "{}")
    with connected(address, *request) as connection:
        Event().wait(1.0)  # Time itself is what is tested: the client does not read.
        assert len(until_closed(connection)) < len(LARGE)
    methods.answer = b""
    assert httpx.post(f"http://{address[0]}:{address[1]}{GET}", json={}, trust_env=False)


def test_a_call_is_not_waited_for_longer_than_the_bound(opened: Any, methods: Methods) -> None:
    host, port = opened(longest_wait=0.1)
    answer = httpx.post(f"http://{host}:{port}{DELETE}", json={}, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert methods.cancelled.is_set()


def test_pages_of_the_origins_that_are_set_may_call_and_others_may_not(opened: Any) -> None:
    host, port = opened(origins=("https://example.com",))
    asks = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,connect-protocol-version,authorization",
    }
    with httpx.Client(base_url=f"http://{host}:{port}", trust_env=False) as client:
        asked = client.options(GET, headers={"origin": "https://example.com", **asks})
        called = client.post(GET, json={}, headers={"origin": "https://example.com"})
        denied = client.options(GET, headers={"origin": "https://evil.example", **asks})
    assert asked.status_code == 200
    assert "authorization" in asked.headers["access-control-allow-headers"]
    assert called.headers["access-control-allow-origin"] == "https://example.com"
    assert called.headers["access-control-expose-headers"] == "*"
    assert denied.status_code == 400
    assert "access-control-allow-origin" not in denied.headers


def test_the_bounds_are_settings_with_the_same_defaults() -> None:
    assert http_bounds(Settings()) == Bounds()
    assert http_bounds(Settings(connection_idle=3.0)).idle == 3.0
