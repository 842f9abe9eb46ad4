"""The stored events held against the tree that the log has signed: hashed again, leaf by leaf."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any

from psycopg import Connection

from application.leaves import Leaf, position_of
from application.ports import Feed
from application.verification.alignment import differences
from application.verification.findings import Finding, Kind
from infrastructure.tlog.proofs import EMPTY_ROOT, perfect_root, tree_hash
from infrastructure.tlog.tiles import LEVELS, WIDTH, Tiles

SLICE = 16 * WIDTH  # events

_STATES = """
    SELECT notification_id, originator_id::text, originator_version, topic, state
    FROM workflow_events WHERE notification_id > %s AND notification_id <= %s
    ORDER BY notification_id
"""
_GAPS = """
    SELECT before, position FROM (
        SELECT notification_id AS position,
               lag(notification_id, 1, %(after)s) OVER (ORDER BY notification_id) AS before
        FROM workflow_events
        WHERE notification_id > %(after)s AND notification_id <= %(end)s
    ) AS steps
    WHERE position <> before + 1
    ORDER BY position
"""
_Row = tuple[int, str, int, str, bytes]


class TreePass:
    """Reads the events that a checkpoint covers, and tells how they differ from it."""

    def __init__(
        self,
        connection: Connection[Any],
        feed: Feed,
        tiles: Tiles,
        done: Callable[[int], None],
    ) -> None:
        """`done` is called with the count of further events that were verified."""
        self._connection = connection
        self._feed = feed
        self._tiles = tiles
        self._done = done
        self._last: Sequence[bytes] = ()  # the hashes of the last tile, if it is not full

    def findings(self, begin: int, root: bytes) -> Iterator[Finding]:
        """What differs from the leaf `begin` on, a multiple of WIDTH, or in the tree's files.

        The tiles before are believed as far as they lead to the root.
        """
        roots = self._roots_before(begin)
        for number, rows in self._by_tile(begin):
            hashes = self._hashes(rows, number)
            if hashes is None or b"".join(hashes) != self._tiles.tile(0, number):
                yield from self._named(number * WIDTH)
                return
            if len(hashes) == WIDTH:
                roots.append(perfect_root(hashes))
            else:
                self._last = hashes
        if self._root(roots) != root:
            yield _damaged("the leaves do not lead to the root of the checkpoint")

    def _hashes(self, rows: Sequence[_Row], number: int) -> list[bytes] | None:
        """The leaf hashes of a tile from stored bytes; None if a position is missing."""
        first = position_of(number * WIDTH)
        if len(rows) != min(WIDTH, self._tiles.size - number * WIDTH):
            return None
        if rows and (rows[0][0] != first or rows[-1][0] != first + len(rows) - 1):
            return None
        head = b"\0workflows.event.v1\n%d/%d\n" % (self._feed.epoch, self._feed.number)
        return [
            sha256(
                b"%b%d\n%b\n%d\n%b\n%b\n"
                % (
                    head,
                    position,
                    workflow_id.encode(),
                    version,
                    name.encode(),
                    sha256(state).hexdigest().encode(),
                )
            ).digest()
            for position, workflow_id, version, name, state in rows
        ]

    def _by_tile(self, begin: int) -> Iterator[tuple[int, Sequence[_Row]]]:
        """The rows of each tile; those of a missing position are fewer."""
        for start in range(begin, self._tiles.size, SLICE):
            end = min(start + SLICE, self._tiles.size)
            rows = self._rows(start, end)
            for tile in range(start, end, WIDTH):
                low, high = tile + 1, min(tile + WIDTH, end)
                at = tile - start
                chosen = rows[at : at + high - tile]
                if len(rows) != end - start:  # Something is missing: look position by position.
                    chosen = [row for row in rows if low <= row[0] <= high]
                yield tile // WIDTH, chosen
            self._done(end - start)

    def _rows(self, after: int, to: int) -> list[_Row]:
        found = self._connection.execute(_STATES, (after, to), binary=True, prepare=True)
        return found.fetchall()

    def _named(self, begin: int) -> Iterator[Finding]:
        """Every difference from a tile on by its name; slower, and only done if there is one."""
        found = 0
        for finding in differences(self._stored(begin), self._signed(begin)):
            yield finding
            found += 1
        if not found:
            yield _damaged("the tiles of the log do not fit its leaves")

    def _stored(self, begin: int) -> Iterator[Leaf]:
        for start in range(begin, self._tiles.size, SLICE):
            end = min(start + SLICE, self._tiles.size)
            for row in self._rows(start, end):
                yield Leaf.of(*row)
            self._done(end - start)

    def _signed(self, begin: int) -> Iterator[Leaf]:
        for number in range(begin // WIDTH, (self._tiles.size + WIDTH - 1) // WIDTH):
            yield from map(Leaf.parse, self._tiles.leaves(number))

    def _roots_before(self, begin: int) -> list[bytes]:
        """The roots of the full tiles before a leaf."""
        wanted = begin // WIDTH
        found: list[bytes] = []
        for number in range((wanted + WIDTH - 1) // WIDTH):
            found += self._tiles.hashes(1, number)
        return found[:wanted]

    def _root(self, roots: Sequence[bytes]) -> bytes:
        """The root over tiles whose roots are known, and the last hashes."""

        def subtree(level: int, index: int) -> bytes:
            if level >= LEVELS:
                wide = level - LEVELS
                return perfect_root(roots[index << wide : (index + 1) << wide])
            at = (index << level) % WIDTH
            return perfect_root(self._last[at : at + (1 << level)])

        size = self._tiles.size
        return tree_hash(0, size, subtree) if size else EMPTY_ROOT


def _damaged(description: str) -> Finding:
    return Finding(Kind.DAMAGED_LOG, 0, description)


def gaps(connection: Connection[Any], after: int, end: int) -> Iterator[Finding]:
    """Positions without an event, of those that no checkpoint covers."""
    rows = connection.execute(_GAPS, {"after": after, "end": end}).fetchall()
    for before, position in rows:
        for missing in range(before + 1, min(position, before + 1 + 1000)):
            yield Finding(Kind.MISSING_EVENT, missing, "no event stands here, and others follow")
