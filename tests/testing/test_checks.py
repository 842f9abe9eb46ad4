"""The history checker finds every fault that is put in, and none that is not."""

from dataclasses import replace
from io import StringIO

import pytest
from workflows_testing.checks import check, check_feed, check_log, check_reads, check_versions
from workflows_testing.history import Call, Outcome, read, write

from tests.testing.simulation import GET, Bug, Simulation

SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_without_a_fault_is_found_to_be_one(seed: int) -> None:
    run = Simulation(seed)
    assert check(run.calls, run.log, feeds=[range(3, 20)]) == []
    assert {call.outcome for call in run.calls} == {Outcome.OK, Outcome.UNKNOWN}
    assert any(call.replayed for call in run.calls)


@pytest.mark.parametrize(
    ("bug", "rule"),
    [
        (Bug.LOSES, "lost"),
        (Bug.DOUBLES, "twice"),
        (Bug.REPEATS, "twice"),
        (Bug.LIES, "lied"),
        (Bug.IS_STALE, "stale"),
    ],
)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_fault_of_the_service_is_found(bug: Bug, rule: str, seed: int) -> None:
    run = Simulation(seed, bug)
    assert run.harmed
    assert rule in {finding.rule for finding in check(run.calls, run.log)}


@pytest.mark.parametrize("bug", [Bug.LOSES, Bug.REPEATS, Bug.IS_STALE])
def test_clients_alone_find_what_they_can_see_without_the_log(bug: Bug) -> None:
    found = [check(Simulation(seed, bug).calls) for seed in SEEDS]
    assert found.count([]) <= len(SEEDS) // 4  # The next write's answer may be lost too.


def test_a_read_is_held_against_the_fold_of_the_log_and_against_other_reads() -> None:
    run = Simulation(1)
    assert check_reads(run.calls, lambda _, version: {"version": version}) == []
    place, call = next((i, c) for i, c in enumerate(run.calls) if c.method == GET and c.version)
    torn = replace(call, id="torn", reply={**call.reply, "version": 99})
    assert {f.rule for f in check_versions([*run.calls, torn])} == {"torn"}
    run.calls[place] = torn
    assert {f.rule for f in check_reads(run.calls, lambda _, v: {"version": v})} == {"torn"}


def test_a_workflow_that_nobody_deleted_may_not_be_missing() -> None:
    created = Call(
        id="1", client="c", server="s", method="CreateWorkflow", request={"user_id": "alice"},
        called=1, returned=2, outcome=Outcome.OK, code="OK", reply={"id": "w"}, version=1,
    )  # fmt: skip
    missing = Call(
        id="2", client="c", server="s", method=GET, request={"user_id": "alice", "id": "w"},
        called=3, returned=4, outcome=Outcome.REFUSED, code="NOT_FOUND", reply={},
    )  # fmt: skip
    deleted = replace(missing, id="3", method="DeleteWorkflow", called=2, code="OK")
    assert {f.rule for f in check_versions([created, missing])} == {"lost"}
    assert check_versions([created, deleted, missing]) == []


def test_a_gap_in_the_log_is_found() -> None:
    log = Simulation(2).log
    assert check_log(log) == []
    assert {f.rule for f in check_log([*log[:5], *log[6:]])} == {"gap"}


@pytest.mark.parametrize("positions", [[3, 5], [3, 4, 4, 5], [4, 3, 5], [3, 4, 3]])
def test_a_reader_of_the_feed_may_miss_repeat_and_disorder_nothing(positions: list[int]) -> None:
    log = Simulation(3).log
    assert check_feed([3, 4, 5], log) == check_feed([], log) == []
    assert {f.rule for f in check_feed(positions, log)} == {"feed"}


def test_a_history_survives_its_file() -> None:
    calls = Simulation(4).calls
    file = StringIO()
    write(calls, file)
    file.seek(0)
    assert list(read(file)) == calls
