"""The group commit's state machine, an example for each of its rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from infrastructure.lanes.batcher import (
    Batcher,
    Drained,
    Effect,
    Limits,
    LookAgain,
    Refuse,
    Take,
    Waiter,
)
from infrastructure.lanes.refusals import CallerLeft, DeadlinePassed, Draining, Overloaded

LINGER = 0.004
LIMITS = Limits(queue=8, batch=4, batch_bytes=100, linger=LINGER)


@dataclass(eq=False)
class Named(Waiter):
    """A command by its name."""

    name: str


@pytest.fixture
def batcher() -> Batcher[Named]:
    """A machine with small limits, at rest."""
    return Batcher(LIMITS)


def waiter(name: str, size: int = 1, deadline: float | None = None) -> Named:
    """A command that waits."""
    return Named(size, deadline, name)


def taken(effects: Sequence[Effect[Named]]) -> Sequence[str]:
    """What is to be written, in order; at most one batch."""
    batches = [effect.waiters for effect in effects if isinstance(effect, Take)]
    assert len(batches) <= 1
    return [waiter.name for batch in batches for waiter in batch]


def refused(effects: Sequence[Effect[Named]]) -> dict[str, type[Exception]]:
    """What is answered undecided, and how."""
    answers = [effect for effect in effects if isinstance(effect, Refuse)]
    return {answer.waiter.name: type(answer.refusal) for answer in answers}


def submit(batcher: Batcher[Named], *names: str, now: float = 0.0) -> None:
    """Several commands arrive while nothing can be taken."""
    for name in names:
        assert batcher.submitted(waiter(name), now) == []


def next_batch(batcher: Batcher[Named], count: int) -> Sequence[str]:
    """What is taken after a batch of `count`, when the linger is over at the latest."""
    effects = batcher.finished(count, 0.0)
    match effects:
        case [LookAgain(at)]:
            return taken(batcher.passed(at))
    return taken(effects)


def after_a_batch_of_two(batcher: Batcher[Named], now: float) -> None:
    """The machine has just written two commands, and nobody waits."""
    assert taken(batcher.submitted(waiter("first"), now)) == ["first"]
    submit(batcher, "a", "b", now=now)
    assert taken(batcher.finished(1, now)) == ["a", "b"]
    assert batcher.finished(2, now) == []


def test_a_lone_command_is_taken_at_once(batcher: Batcher[Named]) -> None:
    assert taken(batcher.submitted(waiter("a"), 0.0)) == ["a"]


def test_what_waits_and_what_is_written_is_unanswered(batcher: Batcher[Named]) -> None:
    batcher.submitted(waiter("a"), 0.0)
    submit(batcher, "b", "c")
    assert batcher.unanswered == 3
    batcher.finished(1, 0.0)
    assert batcher.unanswered == 2
    batcher.finished(2, 0.0)
    assert batcher.unanswered == 0


def test_a_lone_command_after_a_lone_command_is_taken_at_once(batcher: Batcher[Named]) -> None:
    batcher.submitted(waiter("a"), 0.0)
    assert batcher.finished(1, 1.0) == []
    assert taken(batcher.submitted(waiter("b"), 1.0)) == ["b"]


def test_what_arrives_while_a_batch_is_written_becomes_the_next_one(
    batcher: Batcher[Named],
) -> None:
    batcher.submitted(waiter("a"), 0.0)
    submit(batcher, "b", "c", "d")
    assert batcher.waiting == 3
    assert taken(batcher.finished(1, 0.1)) == ["b", "c", "d"]
    assert batcher.waiting == 0


def test_after_a_batch_of_several_the_next_one_lingers_until_as_many_wait(
    batcher: Batcher[Named],
) -> None:
    after_a_batch_of_two(batcher, now=1.0)
    assert batcher.submitted(waiter("c"), 1.001) == [LookAgain(1.0 + LINGER)]
    assert taken(batcher.submitted(waiter("d"), 1.002)) == ["c", "d"]


def test_no_batch_lingers_for_more_than_enough_company() -> None:
    batcher: Batcher[Named] = Batcher(replace(LIMITS, company=2))
    assert taken(batcher.submitted(waiter("first"), 1.0)) == ["first"]
    submit(batcher, "a", "b", "c", "d", now=1.0)
    assert taken(batcher.finished(1, 1.0)) == ["a", "b", "c", "d"]
    assert batcher.finished(4, 1.0) == []
    assert batcher.submitted(waiter("e"), 1.001) == [LookAgain(1.0 + LINGER)]
    assert taken(batcher.submitted(waiter("f"), 1.002)) == ["e", "f"]


def test_lingering_ends_with_its_time(batcher: Batcher[Named]) -> None:
    after_a_batch_of_two(batcher, now=1.0)
    assert batcher.submitted(waiter("c"), 1.001) == [LookAgain(1.0 + LINGER)]
    assert taken(batcher.passed(1.0 + LINGER)) == ["c"]


def test_a_command_that_comes_after_the_linger_is_taken_at_once(batcher: Batcher[Named]) -> None:
    after_a_batch_of_two(batcher, now=1.0)
    assert taken(batcher.submitted(waiter("c"), 1.0 + LINGER)) == ["c"]


def test_a_moment_that_passes_early_asks_for_the_rest_of_the_linger(
    batcher: Batcher[Named],
) -> None:
    after_a_batch_of_two(batcher, now=1.0)
    batcher.submitted(waiter("c"), 1.0)
    assert batcher.passed(1.001) == [LookAgain(1.0 + LINGER)]


def test_a_batch_holds_no_more_commands_than_its_limit(batcher: Batcher[Named]) -> None:
    batcher.submitted(waiter("a"), 0.0)
    submit(batcher, "b", "c", "d", "e", "f", "g")
    assert taken(batcher.finished(1, 0.0)) == ["b", "c", "d", "e"]
    assert next_batch(batcher, 4) == ["f", "g"]


def test_a_batch_holds_no_more_bytes_than_its_limit(batcher: Batcher[Named]) -> None:
    batcher.submitted(waiter("a"), 0.0)
    for name, size in (("b", 60), ("c", 40), ("d", 1)):
        batcher.submitted(waiter(name, size), 0.0)
    assert taken(batcher.finished(1, 0.0)) == ["b", "c"]
    assert next_batch(batcher, 2) == ["d"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_command_beyond_the_limit_of_bytes_goes_alone(
    batcher: Batcher[Named], place: int
) -> None:
    names = ["b", "c", "d"]
    batcher.submitted(waiter("a"), 0.0)
    for index, name in enumerate(names):
        batcher.submitted(waiter(name, 1000 if index == place else 1), 0.0)
    batches = [next_batch(batcher, 1)]
    while batch := next_batch(batcher, len(batches[-1])):
        batches.append(batch)
    assert [name for batch in batches for name in batch] == names
    assert [names[place]] in batches


def test_a_command_whose_deadline_passed_is_answered_and_not_taken(
    batcher: Batcher[Named],
) -> None:
    batcher.submitted(waiter("a"), 0.0)
    batcher.submitted(waiter("late", deadline=1.0), 0.0)
    batcher.submitted(waiter("b", deadline=1.5), 0.0)
    effects = batcher.finished(1, 1.0)
    assert refused(effects) == {"late": DeadlinePassed}
    assert taken(effects) == ["b"]


def test_where_every_deadline_passed_the_machine_comes_to_rest(batcher: Batcher[Named]) -> None:
    batcher.submitted(waiter("a"), 0.0)
    batcher.submitted(waiter("late", deadline=1.0), 0.0)
    assert refused(batcher.finished(1, 2.0)) == {"late": DeadlinePassed}
    assert taken(batcher.submitted(waiter("b"), 2.0 + LINGER)) == ["b"]


def test_a_command_cancelled_while_it_waits_is_never_taken(batcher: Batcher[Named]) -> None:
    gone = waiter("gone")
    batcher.submitted(waiter("a"), 0.0)
    batcher.submitted(gone, 0.0)
    submit(batcher, "b")
    assert refused(batcher.cancelled(gone)) == {"gone": CallerLeft}
    assert taken(batcher.finished(1, 0.0)) == ["b"]


def test_a_command_is_cancelled_once(batcher: Batcher[Named]) -> None:
    gone = waiter("gone")
    batcher.submitted(waiter("a"), 0.0)
    batcher.submitted(gone, 0.0)
    batcher.cancelled(gone)
    assert batcher.cancelled(gone) == []


def test_a_command_that_was_refused_is_not_cancelled(batcher: Batcher[Named]) -> None:
    refused_one = waiter("refused")
    batcher.drain(0.0)
    batcher.submitted(refused_one, 0.0)
    assert batcher.cancelled(refused_one) == []


def test_a_command_cancelled_while_it_is_written_stays_written(batcher: Batcher[Named]) -> None:
    written = waiter("a")
    batcher.submitted(written, 0.0)
    submit(batcher, "b")
    assert batcher.cancelled(written) == []
    assert batcher.waiting == 1
    assert taken(batcher.finished(1, 0.0)) == ["b"]


def test_commands_that_are_equal_are_cancelled_one_by_one(batcher: Batcher[Named]) -> None:
    twins = [waiter("twin"), waiter("twin")]
    batcher.submitted(waiter("a"), 0.0)
    for twin in twins:
        batcher.submitted(twin, 0.0)
    (answer,) = batcher.cancelled(twins[1])
    assert isinstance(answer, Refuse)
    assert answer.waiter is twins[1]
    assert batcher.waiting == 1


def test_too_many_waiting_commands_are_refused(batcher: Batcher[Named]) -> None:
    batcher.submitted(waiter("a"), 0.0)
    submit(batcher, *"bcdefghi")
    assert refused(batcher.submitted(waiter("j"), 0.0)) == {"j": Overloaded}
    assert batcher.waiting == LIMITS.queue


def test_a_place_in_the_queue_is_free_again_after_a_cancellation(batcher: Batcher[Named]) -> None:
    gone = waiter("gone")
    batcher.submitted(waiter("a"), 0.0)
    batcher.submitted(gone, 0.0)
    submit(batcher, *"cdefghi")
    batcher.cancelled(gone)
    assert batcher.submitted(waiter("j"), 0.0) == []


def test_a_machine_at_rest_is_drained_at_once(batcher: Batcher[Named]) -> None:
    assert batcher.drain(0.0) == [Drained()]


def test_draining_finishes_what_was_accepted_and_refuses_what_comes(
    batcher: Batcher[Named],
) -> None:
    batcher.submitted(waiter("a"), 0.0)
    submit(batcher, *"bcdef")
    assert batcher.drain(0.0) == []
    assert refused(batcher.submitted(waiter("late"), 0.0)) == {"late": Draining}
    assert taken(batcher.finished(1, 0.0)) == ["b", "c", "d", "e"]
    assert taken(batcher.finished(4, 0.0)) == ["f"]
    assert batcher.finished(1, 0.0) == [Drained()]
    assert refused(batcher.submitted(waiter("later"), 9.0)) == {"later": Draining}


def test_draining_does_not_linger(batcher: Batcher[Named]) -> None:
    after_a_batch_of_two(batcher, now=1.0)
    batcher.submitted(waiter("c"), 1.0)
    assert taken(batcher.drain(1.0)) == ["c"]


def test_drained_is_said_once(batcher: Batcher[Named]) -> None:
    after_a_batch_of_two(batcher, now=1.0)
    assert batcher.submitted(waiter("c"), 1.0) == [LookAgain(1.0 + LINGER)]
    assert taken(batcher.drain(1.0)) == ["c"]
    assert batcher.finished(1, 1.0) == [Drained()]
    assert batcher.passed(1.0 + LINGER) == []
