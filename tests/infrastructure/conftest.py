"""A server of direct methods, for the tests that call one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.direct_server import (
    ECHO,
    HOLD,
    Direct,
    Waiting,
    echo,
    serving,
)


@pytest.fixture
def held() -> Waiting:
    """The method whose calls wait."""
    return Waiting()


@pytest.fixture
def direct(held: Waiting) -> Iterator[Direct]:
    """A server with a method that answers at once, and one whose calls wait."""
    with serving({ECHO: echo, HOLD: held}) as direct:
        yield direct


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """Other threads than that which takes calls."""
    with ThreadPoolExecutor(4) as threads:
        yield threads
