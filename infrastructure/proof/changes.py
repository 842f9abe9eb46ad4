"""Many changed events as what was done to them: a chain rewritten, bytes exchanged."""

from collections.abc import Callable, Iterable, Iterator

from application.verification.findings import Finding, Kind
from application.verification.streams import rewritten
from application.verification.testimony import Difference, Identity, Testimony

EXAMINED = 100  # workflows whose chain is looked at
KEPT = 100_000  # changed events that are compared with each other


def named_changes(
    differences: Iterable[Difference],
    testimony: Testimony,
    chain_breaks: Callable[[str], int],
) -> Iterator[Finding]:
    """The findings of differences; `testimony` learns of each of them.

    Several changed events of a workflow whose chain holds are one rewritten chain. Two events that
    have each other's bytes were swapped. `chain_breaks` counts the breaks in a workflow's chain.
    """
    changed: dict[str, list[Difference]] = {}
    moved: list[Difference] = []
    kept = 0
    for difference in differences:
        testimony.add(difference)
        finding = difference.finding
        if finding.kind is Kind.CHANGED_BYTES and kept < KEPT:
            kept += 1
            changed.setdefault(finding.workflow_id, []).append(difference)
        elif finding.kind is Kind.MOVED_EVENT and kept < KEPT:
            kept += 1
            moved.append(difference)
        else:
            yield finding
    yield from _moves(moved)
    swapped = dict(_exchanged(each for several in changed.values() for each in several))
    for number, (workflow_id, several) in enumerate(changed.items()):
        rest = [each.finding for each in several if each.finding.position not in swapped]
        if len(rest) > 1 and number < EXAMINED and not chain_breaks(workflow_id):
            rest = [rewritten(rest[0], len(rest))]
        yield from rest
    for position, other in swapped.items():
        if position < other:
            yield _swapped(changed, position, other)


def _moves(moved: Iterable[Difference]) -> Iterator[Finding]:
    """The findings of events that moved; two that took each other's places are one finding."""
    waiting: dict[tuple[Identity, Identity], Finding] = {}
    for finding, stored, signed in moved:
        if stored is None or signed is None:
            yield finding
        elif (first := waiting.pop((signed.identity, stored.identity), None)) is not None:
            sentence = f"this event and the one of position {finding.position} have each other's"
            yield first._replace(
                kind=Kind.SWAPPED_EVENTS, description=f"{sentence} place in a workflow"
            )
        else:
            waiting[stored.identity, signed.identity] = finding
    yield from waiting.values()


def _exchanged(changed: Iterable[Difference]) -> Iterator[tuple[int, int]]:
    """Pairs of positions, in both orders, whose events have each other's bytes."""
    places: dict[tuple[str, str], int] = {}
    for _, stored, signed in changed:
        if stored is None or signed is None:
            continue
        other = places.get((signed.digest, stored.digest))
        if other is not None:
            yield other, stored.position
            yield stored.position, other
        places[stored.digest, signed.digest] = stored.position


def _swapped(changed: dict[str, list[Difference]], position: int, other: int) -> Finding:
    finding = next(
        each.finding
        for several in changed.values()
        for each in several
        if each.finding.position == position
    )
    return finding._replace(
        kind=Kind.SWAPPED_EVENTS,
        description=f"this event and the one of position {other} have each other's bytes",
    )
