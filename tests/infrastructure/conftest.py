"""A server on each body of the wire, for the tests that call one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.wire_server import BODIES, ECHO, HOLD, Serving, Waiting, WireServer, echo


@pytest.fixture(params=BODIES)
def serving(request: pytest.FixtureRequest) -> Serving:
    """Starts servers on a body of the wire; each test that asks for it runs on both."""
    return Serving(request.param)


@pytest.fixture
def held() -> Waiting:
    """The method whose calls wait."""
    return Waiting()


@pytest.fixture
def wire(serving: Serving, held: Waiting) -> Iterator[WireServer]:
    """A server with a method that answers at once, and one whose calls wait."""
    with serving({ECHO: echo, HOLD: held}) as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """Other threads than that which takes calls."""
    with ThreadPoolExecutor(4) as threads:
        yield threads
