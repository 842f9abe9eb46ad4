"""Names how a record differs from a log: changed, swapped, inserted, removed events, a cut tail.

Both are leaves in the order of their places. Identities are compared first: an event that moved is
the same event. Then the bytes.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from application.leaves import Leaf
from application.verification.findings import Finding, Kind
from application.verification.testimony import Difference

AHEAD = 256
"""How many events ahead one that is not in its place is looked for."""
FAR_AHEAD = 65_536
"""How many events ahead it is looked for then, a few times."""
_LONG_LOOKS = 16


def differences(record: Iterable[Leaf], log: Iterable[Leaf]) -> Iterator[Difference]:
    """What differs between the stored events and the leaves that were signed for them.

    Both begin at the same place. Events of the record after the end of the log are not judged.
    """
    return _Alignment(record, log).run()


class _Alignment:
    def __init__(self, record: Iterable[Leaf], log: Iterable[Leaf]) -> None:
        self._stored = _Ahead(record)
        self._signed = _Ahead(log)
        self._long_looks = _LONG_LOOKS
        self._shift = 0  # by which positions of the record are ahead of those of the log

    def run(self) -> Iterator[Difference]:
        while signed := self._signed.first():
            stored = self._stored.first()
            if stored is None:
                finding = _at(
                    Kind.CUT_TAIL, signed, "the feed ends before this event, which was signed"
                )
                yield Difference(finding, None, signed)
                return
            if stored.identity == signed.identity and not self._gap(stored, signed):
                yield from _changes(stored, signed)
                self._take(1, 1)
            else:
                yield self._displaced(stored, signed)

    def _gap(self, stored: Leaf, signed: Leaf) -> int:
        """How many positions before a stored event have no event."""
        return max(0, stored.position - self._shift - signed.position)

    def _displaced(self, stored: Leaf, signed: Leaf) -> Difference:
        if self._gap(stored, signed):
            self._take(0, 1)
            return Difference(
                _at(Kind.MISSING_EVENT, signed, "no event stands here; one was signed"),
                None,
                signed,
            )
        if stored.digest == signed.digest:
            self._take(1, 1)
            return Difference(moved(stored, signed), stored, signed)
        later_stored, later_signed = self._places(stored, signed, AHEAD)
        if later_stored is None and later_signed is None and self._long_looks:
            self._long_looks -= 1
            later_stored, later_signed = self._places(stored, signed, FAR_AHEAD)
        if later_stored is not None and later_stored == later_signed:
            return self._swapped(later_stored, signed)
        if later_signed is not None and (later_stored is None or later_signed < later_stored):
            self._take(0, 1)
            self._shift -= 1
            return Difference(removed(signed), None, signed)
        if later_stored is not None:
            self._take(1, 0)
            self._shift += 1
            return Difference(inserted(stored), stored)
        self._take(1, 1)
        return Difference(
            _at(Kind.REPLACED_EVENT, stored, "another event was signed for this position"),
            stored,
            signed,
        )

    def _swapped(self, place: int, signed: Leaf) -> Difference:
        here = self._stored.first()
        other = self._stored.swap(place)
        finding = _at(
            Kind.SWAPPED_EVENTS,
            signed,
            f"this event and the one of position {other.position} stand in each other's places",
        )
        return Difference(finding, here, signed)

    def _take(self, stored: int, signed: int) -> None:
        self._stored.drop(stored)
        self._signed.drop(signed)

    def _places(self, stored: Leaf, signed: Leaf, ahead: int) -> tuple[int | None, int | None]:
        """Where the signed event comes in the record, and the stored one in the log."""
        return self._stored.place(signed, ahead), self._signed.place(stored, ahead)


class _Ahead:
    """Leaves, of which the next ones can be looked at before they are taken."""

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        self._rest = iter(leaves)
        self._next: deque[Leaf] = deque()

    def first(self) -> Leaf | None:
        self._fill(1)
        return self._next[0] if self._next else None

    def place(self, leaf: Leaf, ahead: int) -> int | None:
        """Where an event comes, the next one being 0; None if it is not so near."""
        self._fill(ahead)
        identity = leaf.identity
        places = (n for n, each in enumerate(self._next) if each.identity == identity)
        return next(places, None)

    def swap(self, place: int) -> Leaf:
        """Puts the event at a place and the first one in each other's places; returns that one."""
        first, other = self._next[0], self._next[place]
        self._next[0] = other._replace(position=first.position)
        self._next[place] = first._replace(position=other.position)
        return other

    def drop(self, count: int) -> None:
        for _ in range(count):
            self._next.popleft()

    def _fill(self, count: int) -> None:
        if len(self._next) < count:
            self._next.extend(islice(self._rest, count - len(self._next)))


def _changes(stored: Leaf, signed: Leaf) -> Iterator[Difference]:
    if (change := changed(stored, signed)) is not None:
        yield Difference(change, stored, signed)


def changed(stored: Leaf, signed: Leaf) -> Finding | None:
    """How an event differs from what was signed for it, apart from its place."""
    if stored.digest != signed.digest:
        return _at(Kind.CHANGED_BYTES, stored, "its stored bytes are not those that were signed")
    if stored.name != signed.name:
        return _at(
            Kind.CHANGED_NAME, stored, f"it is named {stored.name}, and was signed as {signed.name}"
        )
    return None


def moved(stored: Leaf, signed: Leaf) -> Finding:
    """The finding that an event stands elsewhere than it was signed for."""
    return _at(
        Kind.MOVED_EVENT,
        stored,
        f"it was signed as event {signed.version} of workflow {signed.workflow_id}, at position"
        f" {signed.position}",
    )


def removed(signed: Leaf) -> Finding:
    """The finding that an event is missing, and that those after it moved up."""
    return _at(Kind.REMOVED_EVENT, signed, "this event is missing; those after it moved up")


def inserted(stored: Leaf) -> Finding:
    """The finding that an event was never signed, and stands among others that were."""
    return _at(
        Kind.INSERTED_EVENT,
        stored,
        "the log has never seen this event, and has others before and after it",
    )


def _at(kind: Kind, leaf: Leaf, description: str) -> Finding:
    return Finding(kind, leaf.position, description, leaf.workflow_id, leaf.version)
