"""What one caller may take: so much at once, so much in a time; and nothing of another's."""

from collections.abc import Callable
from time import time

import pytest

from infrastructure.lanes.refusals import ShareExceeded
from infrastructure.rpc import allowance
from infrastructure.rpc.allowance import Allowance, AtOnce, Rate, RateExceeded
from infrastructure.rpc.load import loads
from infrastructure.wiring.services import TABLES


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clocks of rates forward."""
    passed = 0.0
    began = time()

    def move(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    monkeypatch.setattr("limits.storage.memory.time.time", lambda: began + passed)
    monkeypatch.setattr(allowance, "time", lambda: began + passed)
    monkeypatch.setattr(allowance, "monotonic", lambda: passed)
    return move


def test_a_caller_has_so_many_at_once_and_one_more_for_each_that_ends() -> None:
    allowed = Allowance(AtOnce(2))
    first, _ = allowed.enter("ada", 1), allowed.enter("ada", 1)
    with pytest.raises(ShareExceeded):
        allowed.enter("ada", 1)
    allowed.enter("bob", 1)
    first.leave()
    allowed.enter("ada", 1)


def test_a_cost_counts_for_a_window_that_moves(later: Callable[[float], None]) -> None:
    allowed = Allowance(None, Rate(10, 10))
    allowed.enter("ada", 8)
    later(6)
    with pytest.raises(RateExceeded) as refused:
        allowed.enter("ada", 8)
    allowed.enter("ada", 2)
    allowed.enter("bob", 8)
    assert refused.value.again_in == pytest.approx(4, abs=0.01)
    later(4.1)
    allowed.enter("ada", 8)


def test_a_call_that_costs_more_than_the_whole_rate_is_possible_now_and_then(
    later: Callable[[float], None],
) -> None:
    allowed = Allowance(None, Rate(5, 1))
    allowed.enter("ada", 20)
    with pytest.raises(RateExceeded):
        allowed.enter("ada", 1)
    later(1.1)
    allowed.enter("ada", 20)


def test_a_call_beyond_the_rate_is_not_under_way() -> None:
    allowed = Allowance(AtOnce(1), Rate(1, 3600))
    allowed.enter("ada", 1).leave()
    for _ in range(3):
        with pytest.raises(RateExceeded):
            allowed.enter("ada", 1)


def test_callers_whose_window_has_passed_are_forgotten(later: Callable[[float], None]) -> None:
    rate = Rate(10, 1)
    for number in range(100):
        rate.spend(f"caller {number}", 1)
    later(1.1)
    rate.spend("ada", 1)
    assert len(rate._last) == 1
    assert len(rate._storage.events) == 1


def test_what_changes_something_is_known_as_such() -> None:
    changing = {name for table in TABLES for name, load in loads(table).items() if load.changes}
    assert {"CreateWorkflow", "EraseUser"} <= changing
    assert not {"GetWorkflow", "ListWorkflows", "GetWorkflowHistory", "GetProof"} & changing
