"""Compares the stored events with the tree that the log has signed: each is hashed again."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any

from psycopg import Connection

from application.leaves import Leaf, position_of
from application.ports import Feed
from application.verification.alignment import differences
from application.verification.findings import Finding, Kind
from application.verification.testimony import Difference
from infrastructure.proof.filecheck import FileCheck
from infrastructure.proof.trusted import TrustedLeaves
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
_NAMED_GAPS = 1000  # positions of one gap
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
        self._head = f"workflows.event.v1\n{feed.epoch}/{feed.number}\n".encode()
        self._tiles = tiles
        self._done = done
        self._files = FileCheck(tiles)

    def differences(self, begin: int, root: bytes) -> Iterator[Difference]:
        """What differs from the leaf `begin` on, a multiple of WIDTH, and in the tree's files.

        The events are right if they lead to the root that is signed; then only files of the log can
        be wrong. The tiles before `begin` are believed as far as they lead to the root.
        """
        if self._reaches(begin, root):
            yield from map(Difference, self._files.findings)
            return
        first = begin // WIDTH if self._files.first is None else self._files.first
        trusted = TrustedLeaves(self._tiles, self._leaves_at)
        found = False
        for difference in differences(self._stored(first), trusted.leaves(first)):
            yield difference
            found = True
        yield from map(Difference, trusted.findings)
        if not found and not trusted.findings:
            description = "the leaves do not lead to the root of the checkpoint"
            yield Difference(Finding(Kind.DAMAGED_LOG, position_of(begin), description))

    def _reaches(self, begin: int, root: bytes) -> bool:
        """Whether the stored events lead to a root; notes which files of the log do not fit."""
        roots = self._roots_before(begin)
        last: Sequence[bytes] = ()
        for number, rows in self._by_tile(begin):
            if not self._follow(rows, number):
                if self._files.first is None:
                    self._files.first = number
                return False
            leaves = self._leaves(rows)
            hashes = [sha256(b"\0" + leaf).digest() for leaf in leaves]
            self._files.tile(number, leaves, hashes)
            if len(hashes) == WIDTH:
                roots.append(perfect_root(hashes))
            else:
                last = hashes
        if begin == 0:
            self._files.above(roots)
        return self._root(roots, last) == root

    def _follow(self, rows: Sequence[_Row], number: int) -> bool:
        """Whether these are the rows of a tile, none missing."""
        first = position_of(number * WIDTH)
        count = min(WIDTH, self._tiles.size - number * WIDTH)
        return len(rows) == count and rows[0][0] == first and rows[-1][0] == first + count - 1

    def _leaves(self, rows: Sequence[_Row]) -> list[bytes]:
        """The texts of the leaves of rows: see Leaf.text, which is slower."""
        head = self._head
        return [
            b"%b%d\n%b\n%d\n%b\n%b\n"
            % (
                head,
                position,
                workflow_id.encode(),
                version,
                name.encode(),
                sha256(state).hexdigest().encode(),
            )
            for position, workflow_id, version, name, state in rows
        ]

    def _by_tile(self, begin: int) -> Iterator[tuple[int, Sequence[_Row]]]:
        """The rows of each tile; those of a missing position are fewer."""
        for start in range(begin, self._tiles.size, SLICE):
            end = min(start + SLICE, self._tiles.size)
            rows = self._rows(start, end)
            for tile in range(start, end, WIDTH):
                at, count = tile - start, min(WIDTH, end - tile)
                yield tile // WIDTH, rows[at : at + count]
            self._done(end - start)

    def _rows(self, after: int, to: int) -> list[_Row]:
        found = self._connection.execute(_STATES, (after, to), binary=True, prepare=True)
        return found.fetchall()

    def _leaves_at(self, number: int) -> Sequence[bytes]:
        """The leaves of the events that stand in the place of a tile."""
        rows = self._rows(number * WIDTH, (number + 1) * WIDTH)
        return self._leaves(rows)

    def _stored(self, first: int) -> Iterator[Leaf]:
        """The leaf of each event from a tile on, to the end of the feed."""
        after = first * WIDTH
        while rows := self._rows(after, after + SLICE) or self._rows_beyond(after + SLICE):
            for row in rows:
                yield Leaf.of(*row)
            after = max(after + SLICE, rows[-1][0])
            self._done(len(rows))

    def _rows_beyond(self, after: int) -> list[_Row]:
        """The first rows after a gap that is longer than a slice."""
        query = "SELECT min(notification_id) FROM workflow_events WHERE notification_id > %s"
        [(position,)] = self._connection.execute(query, (after,)).fetchall()
        return [] if position is None else self._rows(position - 1, position - 1 + SLICE)

    def _roots_before(self, begin: int) -> list[bytes]:
        """The roots of the full tiles before a leaf."""
        wanted = begin // WIDTH
        found: list[bytes] = []
        for number in range((wanted + WIDTH - 1) // WIDTH):
            found += self._tiles.hashes(1, number)
        return found[:wanted]

    def _root(self, roots: Sequence[bytes], last: Sequence[bytes]) -> bytes:
        """The root over tiles whose roots are known, and the last hashes."""

        def subtree(level: int, index: int) -> bytes:
            if level >= LEVELS:
                wide = level - LEVELS
                return perfect_root(roots[index << wide : (index + 1) << wide])
            at = (index << level) % WIDTH
            return perfect_root(last[at : at + (1 << level)])

        size = self._tiles.size
        return tree_hash(0, size, subtree) if size else EMPTY_ROOT


def gaps(connection: Connection[Any], after: int, end: int) -> Iterator[Finding]:
    """Positions without an event, of those that no checkpoint covers."""
    rows = connection.execute(_GAPS, {"after": after, "end": end}).fetchall()
    for before, position in rows:
        for missing in range(before + 1, min(position, before + 1 + _NAMED_GAPS)):
            yield Finding(Kind.MISSING_EVENT, missing, "no event stands here, and others follow")
