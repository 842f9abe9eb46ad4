"""Attacks by calls: what clients ask for that costs the service more than it costs them."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from time import sleep
from typing import Any

import grpc
from hyperframe.frame import SettingsFrame
from workflows import workflows_pb2 as pb
from workflows_testing import requests

from tests.abuse.frames import BURST, GET, MIB, Attack
from tests.support.client import WITHIN, Client, together
from tests.support.http2 import Http2

AT_ONCE = 16  # large calls of one connection
MANY = 2500  # small ones
_FRAME = '{"url":"http://example.com/","x":[%s]}'


def _filled(part: str) -> str:
    """A payload of almost a MiB that consists of one part, many times."""
    return _FRAME % ",".join([part] * ((MIB - 100) // (len(part) + 1)))


LARGE = f'{{"run":"{"x" * (MIB - 20)}"}}'
WORST = [
    _filled('{"a":1,"b":2}'),
    _filled('{"":' * 60 + "1" + "}" * 60),
    _filled("[" * 60 + "]" * 60),
    _filled('{"a":{},"b":[]}'),
]
"""The accepted payloads whose check takes longest."""


def large_creates(client: Client) -> None:
    """Workflows with payloads of a MiB are created."""
    together([lambda: client.create("large", kind="script", payload=LARGE)] * AT_ONCE)


def worst_payloads(client: Client) -> None:
    """Workflows are created whose payloads are dear to check, and nothing else."""

    def create(payload: str) -> Callable[[], object]:
        return lambda: client.create("worst", payload=payload)

    together([create(payload) for payload in WORST * (AT_ONCE // len(WORST))])


def many_calls(client: Client) -> None:
    """Thousands of calls at once."""
    asked = pb.GetWorkflowRequest(id=requests.ABSENT, user_id="many")
    calls = [client.stub.GetWorkflow.future(asked, timeout=WITHIN) for _ in range(MANY)]
    for call in calls:
        call.exception()


def broad_searches(client: Client) -> None:
    """Names are searched for what almost all or none of them hold."""

    def search(query: str) -> Callable[[], object]:
        return lambda: client.page("neighbour", query=query)

    together([search(query) for query in ("n", "ht", "nightly", "zz", "ni") for _ in range(5)])


def channels(client: Client) -> None:
    """Connections come and go with one call each."""
    for _ in range(10):
        with _another(client) as other:
            together([lambda: other.get(requests.ABSENT, "channels")])


def large_answers_unread(client: Client) -> None:
    """Workflows with large payloads are asked for, and the answers are not read."""
    found = client.created("unread", kind="script", payload=LARGE)
    _ask_and_do_not_read(client, found, 3 * BURST, {4: 65_535})


def small_answers_unread(client: Client) -> None:
    """As many small answers as a connection may have calls under way, none of them read."""
    payload = f'{{"run":"{"x" * 12_000}"}}'
    found = client.created("unread", kind="script", payload=payload)
    _ask_and_do_not_read(client, found, 5 * BURST, {4: 0})


def _ask_and_do_not_read(client: Client, found: str, times: int, settings: dict[int, int]) -> None:
    asked = pb.GetWorkflowRequest(id=found, user_id="unread").SerializeToString()
    with Http2(client.address) as line:
        closed = SettingsFrame(0)
        closed.settings = settings
        line.send(closed, *(frame for _ in range(times) for frame in line.call(GET, asked)))
        sleep(0.5)  # Nothing else happens on this connection: that is the attack.


@contextmanager
def _another(client: Client) -> Iterator[Client]:
    with closing(Client(client.address)) as other:
        yield other


def _with_a_client(calls: Callable[[Client], None]) -> Attack:
    def attack(address: str) -> None:
        # Without a pool of its own, a channel shares the connection of others to the address.
        options: Any = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        with closing(Client(address)) as client:
            client.channel.close()
            client.channel = grpc.insecure_channel(address, options=options)
            client.stub = type(client.stub)(client.channel)
            calls(client)

    return attack


BY_CALLS: dict[str, Attack] = {
    attack.__name__: _with_a_client(attack)
    for attack in (
        large_creates,
        worst_payloads,
        many_calls,
        broad_searches,
        channels,
        large_answers_unread,
        small_answers_unread,
    )
}
