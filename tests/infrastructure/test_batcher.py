"""The lane's state machine: every transition of its table, and an example for each of its rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from infrastructure.lanes.batcher import (
    Batcher,
    Drained,
    Effect,
    Limits,
    Refuse,
    State,
    Take,
    WakeAt,
)
from infrastructure.lanes.fairness import LEAST_COST, Waiter
from infrastructure.lanes.refusals import (
    CallerLeft,
    DeadlinePassed,
    Draining,
    Overloaded,
    ShareExceeded,
)

LINGER = 0.004
LIMITS = Limits(
    queue=8,
    queue_bytes=200,
    share=6,
    share_bytes=150,
    batch=4,
    batch_bytes=100,
    turn=2 * LEAST_COST,
    linger=LINGER,
)
LATER = 10.0


@dataclass(eq=False)
class Named(Waiter):
    """A waiter by its name."""

    name: str


Machine = Batcher[Named]


def waiter(name: str, size: int = 1, deadline: float | None = None, caller: str = "one") -> Named:
    """A waiter."""
    return Named(caller, size, deadline, name)


def of(caller: str, *names: str, size: int = 1) -> list[Named]:
    """Waiters of a caller."""
    return [waiter(name, size, caller=caller) for name in names]


def told(effects: Sequence[Effect[Named]]) -> list[object]:
    """Effects as a test writes them: batches as names, refusals as a name and a kind."""
    return [
        [each.name for each in effect.waiters]
        if isinstance(effect, Take)
        else (effect.waiter.name, type(effect.refusal))
        if isinstance(effect, Refuse)
        else effect
        for effect in effects
    ]


def idle(limits: Limits = LIMITS) -> Machine:
    """A machine at rest."""
    return Batcher(limits)


def busy(*waiting: Named, limits: Limits = LIMITS) -> Machine:
    """A machine that works on `first`, while others wait."""
    machine = idle(limits)
    assert told(machine.submitted(waiter("first", caller="zero"), 0.0)) == [["first"]]
    for each in waiting:
        assert told(machine.submitted(each, 0.0)) == []
    return machine


def rested(limits: Limits = LIMITS) -> Machine:
    """A machine that has just worked on two, at 0.0: it expects as many again."""
    machine = busy(waiter("a"), waiter("b"), limits=limits)
    assert told(machine.finished(0.0)) == [["a", "b"]]
    assert told(machine.finished(0.0)) == []
    return machine


def lingering() -> Machine:
    """A machine at 0.0 that keeps `c` for company."""
    machine = rested()
    assert told(machine.submitted(waiter("c"), 0.0)) == [WakeAt(LINGER)]
    return machine


def draining(*waiting: Named) -> Machine:
    """A machine that works on `first` and accepts nobody."""
    machine = busy(*waiting)
    assert told(machine.drain(0.0)) == []
    return machine


def drained() -> Machine:
    """A machine at its end."""
    machine = idle()
    assert told(machine.drain(0.0)) == [Drained()]
    return machine


def batches(machine: Machine) -> list[list[str]]:
    """All batches to come: each is finished at once, and every linger waited for."""
    found = []
    effects = machine.finished(LATER)
    while effects:
        match effects[-1]:
            case Take(waiters):
                found.append([each.name for each in waiters])
                effects = machine.finished(LATER)
            case WakeAt(moment):
                effects = machine.woken(moment)
            case _:
                raise AssertionError(effects)
    return found


X = waiter("x")
TABLE: dict[str, tuple[Callable[[], Machine], Callable[[Machine], object], list[object], State]] = {
    "idle, submitted": (idle, lambda m: m.submitted(X, 0.0), [["x"]], State.BUSY),
    "idle and expecting company, submitted": (
        rested,
        lambda m: m.submitted(X, 0.001),
        [WakeAt(LINGER)],
        State.LINGERING,
    ),
    "idle, cancelled": (idle, lambda m: m.cancelled(X), [], State.IDLE),
    "idle, woken": (idle, lambda m: m.woken(LATER), [], State.IDLE),
    "idle, drain": (idle, lambda m: m.drain(0.0), [Drained()], State.DRAINED),
    "lingering, submitted": (
        lingering,
        lambda m: m.submitted(X, 0.001),
        [["c", "x"]],
        State.BUSY,
    ),
    "lingering, woken too early": (
        lingering,
        lambda m: m.woken(0.001),
        [WakeAt(LINGER)],
        State.LINGERING,
    ),
    "lingering, woken": (lingering, lambda m: m.woken(LINGER), [["c"]], State.BUSY),
    "lingering, drain": (lingering, lambda m: m.drain(0.001), [["c"]], State.DRAINING),
    "busy, submitted": (busy, lambda m: m.submitted(X, 0.0), [], State.BUSY),
    "busy, cancelled while worked on": (busy, lambda m: m.cancelled(X), [], State.BUSY),
    "busy, cancelled while waiting": (
        lambda: busy(X),
        lambda m: m.cancelled(X),
        [("x", CallerLeft)],
        State.BUSY,
    ),
    "busy, woken": (lambda: busy(X), lambda m: m.woken(LATER), [], State.BUSY),
    "busy, finished": (busy, lambda m: m.finished(0.0), [], State.IDLE),
    "busy, finished while others wait": (
        lambda: busy(X),
        lambda m: m.finished(0.0),
        [["x"]],
        State.BUSY,
    ),
    "busy, drain": (lambda: busy(X), lambda m: m.drain(0.0), [], State.DRAINING),
    "draining, submitted": (
        draining,
        lambda m: m.submitted(X, 0.0),
        [("x", Draining)],
        State.DRAINING,
    ),
    "draining, cancelled": (
        lambda: draining(X),
        lambda m: m.cancelled(X),
        [("x", CallerLeft)],
        State.DRAINING,
    ),
    "draining, woken": (lambda: draining(X), lambda m: m.woken(0.0), [], State.DRAINING),
    "draining, finished": (draining, lambda m: m.finished(0.0), [Drained()], State.DRAINED),
    "draining, finished while others wait": (
        lambda: draining(X),
        lambda m: m.finished(0.0),
        [["x"]],
        State.DRAINING,
    ),
    "draining, drain": (draining, lambda m: m.drain(0.0), [], State.DRAINING),
    "drained, submitted": (
        drained,
        lambda m: m.submitted(X, 0.0),
        [("x", Draining)],
        State.DRAINED,
    ),
    "drained, cancelled": (drained, lambda m: m.cancelled(X), [], State.DRAINED),
    "drained, woken": (drained, lambda m: m.woken(LATER), [], State.DRAINED),
    "drained, drain": (drained, lambda m: m.drain(0.0), [], State.DRAINED),
}


@pytest.mark.parametrize(("given", "when", "then", "state"), TABLE.values(), ids=TABLE)
def test_a_transition(
    given: Callable[[], Machine],
    when: Callable[[Machine], Sequence[Effect[Named]]],
    then: list[object],
    state: State,
) -> None:
    machine = given()
    assert told(when(machine)) == then
    assert machine.state is state


def test_who_lingers_and_leaves_lets_the_machine_rest() -> None:
    machine = rested()
    machine.submitted(X, 0.0)
    assert told(machine.cancelled(X)) == [("x", CallerLeft)]
    assert machine.state is State.IDLE


def test_who_waits_and_who_is_worked_on_is_unanswered() -> None:
    machine = busy(*of("one", "a", "b"))
    assert (machine.waiting, machine.unanswered) == (2, 3)
    machine.finished(0.0)
    assert (machine.waiting, machine.unanswered) == (0, 2)
    machine.finished(0.0)
    assert (machine.waiting, machine.unanswered) == (0, 0)


def test_nobody_is_unanswered_before_anybody_has_come() -> None:
    assert (idle().waiting, idle().unanswered) == (0, 0)


def test_the_limits_are_those_that_were_measured() -> None:
    """If you change one of them, measure again, and change it here too."""
    assert Limits() == Limits(
        queue=4096,
        queue_bytes=64_000_000,
        share=1024,
        share_bytes=16_000_000,
        batch=256,
        batch_bytes=1_000_000,
        turn=16_384,
        linger=0.008,
        company=48,
    )


def test_nobody_lingers_after_a_batch_of_one() -> None:
    machine = busy()
    machine.finished(0.0)
    assert told(machine.submitted(X, 0.0)) == [["x"]]


def test_nobody_lingers_when_the_moment_has_passed() -> None:
    assert told(rested().submitted(X, LINGER)) == [["x"]]


def test_no_batch_lingers_for_more_than_enough_company() -> None:
    machine = busy(*of("one", *"abcd"), limits=replace(LIMITS, company=2))
    assert told(machine.finished(0.0)) == [list("abcd")]
    machine.finished(0.0)
    assert told(machine.submitted(waiter("e"), 0.001)) == [WakeAt(LINGER)]
    assert told(machine.submitted(waiter("f"), 0.002)) == [["e", "f"]]


def test_nobody_lingers_in_a_drain() -> None:
    machine = draining(*of("one", *"abcdef"))
    assert batches_of_a_drain(machine) == [list("abcd"), list("ef")]


def batches_of_a_drain(machine: Machine) -> list[list[str]]:
    """The batches to come, of which none may linger, up to the end."""
    found: list[list[str]] = []
    while True:
        (effect,) = machine.finished(0.0)
        if isinstance(effect, Drained):
            return found
        assert isinstance(effect, Take)
        found.append([each.name for each in effect.waiters])


def test_a_batch_holds_no_more_waiters_than_its_limit() -> None:
    assert batches(busy(*of("one", *"abcdef"))) == [list("abcd"), list("ef")]


def test_a_batch_holds_no_more_bytes_than_its_limit() -> None:
    waiting = [waiter("a", 60), waiter("b", 40), waiter("c", 1)]
    assert batches(busy(*waiting)) == [["a", "b"], ["c"]]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_waiter_beyond_the_limit_of_bytes_goes_alone(place: int) -> None:
    waiting = [waiter(name, 140 if name == "abc"[place] else 1) for name in "abc"]
    found = batches(busy(*waiting))
    assert [name for batch in found for name in batch] == list("abc")
    assert ["abc"[place]] in found


def test_a_waiter_whose_deadline_has_passed_is_refused_and_not_taken() -> None:
    machine = busy(waiter("late", deadline=1.0), waiter("b", deadline=1.5))
    assert told(machine.finished(1.0)) == [("late", DeadlinePassed), ["b"]]


def test_if_every_deadline_has_passed_the_machine_rests() -> None:
    machine = busy(waiter("late", deadline=1.0))
    assert told(machine.finished(2.0)) == [("late", DeadlinePassed)]
    assert machine.state is State.IDLE


def test_waiters_that_are_equal_are_cancelled_one_by_one() -> None:
    twins = of("one", "twin", "twin")
    machine = busy(*twins)
    (effect,) = machine.cancelled(twins[1])
    assert isinstance(effect, Refuse)
    assert effect.waiter is twins[1]
    assert told(machine.cancelled(twins[1])) == []
    assert machine.waiting == 1


BEYOND: dict[str, tuple[list[Named], Named, type[Exception]]] = {
    "the queue's number": (of("a", *"abcd") + of("b", *"efgh"), waiter("x"), Overloaded),
    "the queue's bytes": (
        of("a", "a", size=100) + of("b", "b", size=100),
        waiter("x", 1, caller="c"),
        Overloaded,
    ),
    "a caller's number": (of("a", *"abcdef"), waiter("x", caller="a"), ShareExceeded),
    "a caller's bytes": (of("a", "a", size=150), waiter("x", caller="a"), ShareExceeded),
}


@pytest.mark.parametrize(("waiting", "one_more", "refusal"), BEYOND.values(), ids=BEYOND)
def test_a_waiter_beyond_a_bound_is_refused_at_once_and_another_may_come_when_one_left(
    waiting: list[Named], one_more: Named, refusal: type[Exception]
) -> None:
    machine = busy(*waiting)
    assert told(machine.submitted(one_more, 0.0)) == [(one_more.name, refusal)]
    machine.cancelled(waiting[0])
    assert told(machine.submitted(one_more, 0.0)) == []


def test_a_neighbour_is_accepted_beside_a_caller_that_has_used_up_its_share() -> None:
    machine = busy(*of("flood", *"abcdef"))
    assert told(machine.submitted(waiter("x", caller="flood"), 0.0)) == [("x", ShareExceeded)]
    assert told(machine.submitted(waiter("y", caller="neighbour"), 0.0)) == []


def test_no_size_is_refused_for_ever() -> None:
    assert told(busy().submitted(waiter("huge", 10_000), 0.0)) == []


def test_callers_take_turns_and_keep_their_own_order() -> None:
    waiting = [*of("a", "a1", "a2", "a3", "a4", "a5"), *of("b", "b1"), *of("c", "c1")]
    assert batches(busy(*waiting)) == [["a1", "a2", "b1", "c1"], ["a3", "a4", "a5"]]


def test_a_large_waiter_is_a_turn_of_its_own() -> None:
    limits = replace(LIMITS, batch_bytes=10 * LEAST_COST, share_bytes=100_000, queue_bytes=100_000)
    waiting = of("a", "a1", "a2", size=3 * LEAST_COST) + of("b", "b1", "b2", "b3")
    assert batches(busy(*waiting, limits=limits)) == [["a1", "b1", "b2", "a2"], ["b3"]]


def test_a_turn_that_a_full_batch_cuts_short_is_over() -> None:
    limits = replace(LIMITS, batch=1)
    waiting = [*of("a", "a1", "a2"), *of("b", "b1")]
    assert batches(busy(*waiting, limits=limits)) == [["a1"], ["b1"], ["a2"]]


def test_a_waiter_that_does_not_fit_is_the_first_of_the_next_batch() -> None:
    waiting = [*of("a", "a1", size=60), *of("b", "b1", "b2", size=60), *of("c", "c1")]
    assert batches(busy(*waiting)) == [["a1"], ["b1"], ["c1", "b2"]]
