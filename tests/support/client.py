"""The kit's client, and how a test asks it for refusals and for calls made at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from workflows_testing.client import WITHIN, Answer, Client, Refused, ask, outcome

T = TypeVar("T")

__all__ = ["WITHIN", "Answer", "Client", "Refused", "ask", "outcome", "refused", "together"]


def refused(call: Callable[[], object]) -> Refused:
    """How a call that must be refused was refused."""
    with pytest.raises(Refused) as caught:
        call()
    return caught.value


def together(calls: Sequence[Callable[[], T]], at_once: int = 0) -> list[T | Refused]:
    """The outcomes, in order, of calls that are under way at once: all, or so many of them."""
    with ThreadPoolExecutor(at_once or len(calls)) as threads:
        return list(threads.map(outcome, calls))
