"""How a record differs from what was signed: each way is named, with its first position."""

from collections.abc import Callable

import pytest

from application.leaves import Leaf
from application.verification.alignment import differences
from application.verification.findings import Finding, Kind

Leaves = list[Leaf]


def feed(count: int = 20) -> Leaves:
    """A feed of two workflows whose events come in turns."""
    return [Leaf(n, f"w{n % 2}", (n + 1) // 2, "reset.v1", f"d{n}") for n in range(1, count + 1)]


def findings(stored: Leaves, signed: Leaves) -> list[Finding]:
    return [difference.finding for difference in differences(stored, signed)]


def renumbered(leaves: Leaves) -> Leaves:
    return [leaf._replace(position=n) for n, leaf in enumerate(leaves, 1)]


def changed(leaves: Leaves) -> Leaves:
    return [leaf._replace(digest="x") if leaf.position == 5 else leaf for leaf in leaves]


def renamed(leaves: Leaves) -> Leaves:
    return [leaf._replace(name="deleted.v1") if leaf.position == 5 else leaf for leaf in leaves]


def swapped(leaves: Leaves) -> Leaves:
    leaves[4], leaves[9] = leaves[9], leaves[4]
    return renumbered(leaves)


def inserted(leaves: Leaves) -> Leaves:
    return renumbered([*leaves[:4], Leaf(0, "new", 1, "created.v1", "x"), *leaves[4:]])


def removed(leaves: Leaves) -> Leaves:
    return renumbered([*leaves[:4], *leaves[5:]])


def replaced(leaves: Leaves) -> Leaves:
    return renumbered([*leaves[:4], Leaf(0, "new", 1, "created.v1", "x"), *leaves[5:]])


def relabelled(leaves: Leaves) -> Leaves:
    leaves[4] = leaves[4]._replace(workflow_id="another", version=1)
    return leaves


def holed(leaves: Leaves) -> Leaves:
    return [*leaves[:4], *leaves[6:]]


def cut(leaves: Leaves) -> Leaves:
    return leaves[:4]


def emptied(leaves: Leaves) -> Leaves:
    return []


@pytest.mark.parametrize(
    ("tamper", "kind", "positions"),
    [
        (changed, Kind.CHANGED_BYTES, [5]),
        (renamed, Kind.CHANGED_NAME, [5]),
        (swapped, Kind.SWAPPED_EVENTS, [5]),
        (inserted, Kind.INSERTED_EVENT, [5]),
        (removed, Kind.REMOVED_EVENT, [5]),
        (relabelled, Kind.MOVED_EVENT, [5]),
        (replaced, Kind.REPLACED_EVENT, [5]),
        (holed, Kind.MISSING_EVENT, [5, 6]),
        (cut, Kind.CUT_TAIL, [5]),
        (emptied, Kind.CUT_TAIL, [1]),
    ],
)
def test_a_difference_is_named_once_at_its_first_position(
    tamper: Callable[[Leaves], Leaves], kind: Kind, positions: list[int]
) -> None:
    found = findings(tamper(feed()), feed())

    assert [(each.kind, each.position) for each in found] == [(kind, p) for p in positions]


def test_many_events_that_are_gone_together_are_named_without_the_rest() -> None:
    stored = feed(3000)
    stored = renumbered([*stored[:100], *stored[900:]])

    found = findings(stored, feed(3000))

    assert [each.position for each in found] == list(range(101, 901))
    assert {each.kind for each in found} == {Kind.REMOVED_EVENT}


def test_several_differences_are_each_named() -> None:
    stored = feed(400)
    del stored[299]
    stored = renumbered(stored)
    stored[9] = stored[9]._replace(digest="x")
    stored[350] = stored[350]._replace(digest="x")

    found = findings(stored, feed(400))

    assert [(each.kind, each.position) for each in found][:3] == [
        (Kind.CHANGED_BYTES, 10),
        (Kind.REMOVED_EVENT, 300),
        (Kind.CHANGED_BYTES, 351),
    ]


def test_events_that_no_checkpoint_covers_are_not_judged() -> None:
    assert findings(feed(30), feed(20)) == []
    assert findings(feed(20), feed(20)) == []
