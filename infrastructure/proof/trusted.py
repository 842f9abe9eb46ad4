"""The leaves that a log has signed, read from its files; and what in these contradicts the rest.

Tiles hold hashes of leaves, entry bundles hold the leaves. If a bundle does not lead to its
tile, each leaf is taken from the bundle or from the stored events, whichever has the hash.
"""

from collections.abc import Callable, Iterator, Sequence

from application.leaves import Leaf, LeafUnreadable, position_of
from application.verification.findings import Finding, Kind
from infrastructure.proof.filecheck import first_difference
from infrastructure.tlog.checkpoints import LogRefused
from infrastructure.tlog.proofs import leaf_hash, perfect_root
from infrastructure.tlog.tiles import HASH, WIDTH, Tiles

UNKNOWN = ""
"""The digest of a leaf of which only the hash is known."""


class TrustedLeaves:
    """The leaves of a tree, tile by tile, and what is found to be wrong with its files."""

    def __init__(self, tiles: Tiles, stored: Callable[[int], Sequence[bytes]]) -> None:
        """`stored` returns the texts of the leaves of those events that stand in a tile's place."""
        self._tiles = tiles
        self._stored = stored
        self.findings: list[Finding] = []

    def leaves(self, begin: int) -> Iterator[Leaf]:
        """All leaves from the tile `begin` on. Raises LogRefused if a file is missing."""
        for number in range(begin, -(-self._tiles.size // WIDTH)):
            yield from self._tile(number)

    def _tile(self, number: int) -> Iterator[Leaf]:
        leaves, tile = self._tiles.leaves(number), self._tiles.tile(0, number)
        hashes = [leaf_hash(leaf) for leaf in leaves]
        if b"".join(hashes) == tile:
            yield from map(_parsed, leaves)
        elif self._leads_upwards(number, hashes):
            self._wrong(number, hashes, "tile {} of the log is not that of its leaves")
            yield from map(_parsed, leaves)
        else:
            self._wrong(number, hashes, "entry bundle {} of the log does not lead to its tile")
            stored = {leaf_hash(text): text for text in self._stored(number)}
            for index, leaf in enumerate(leaves):
                signed = tile[HASH * index : HASH * (index + 1)]
                if hashes[index] == signed or signed in stored:
                    yield _parsed(stored.get(signed, leaf))
                else:
                    yield _parsed(leaf)._replace(digest=UNKNOWN)

    def _leads_upwards(self, number: int, hashes: Sequence[bytes]) -> bool:
        """Whether these hashes of a tile are those over which the next level was made."""
        if len(hashes) < WIDTH:
            return False
        try:
            above = self._tiles.hashes(1, number // WIDTH)
        except LogRefused:
            return False
        return above[number % WIDTH] == perfect_root(hashes)

    def _wrong(self, number: int, hashes: Sequence[bytes], sentence: str) -> None:
        leaf = number * WIDTH + first_difference(hashes, self._tiles.hashes(0, number))
        self.findings.append(Finding(Kind.DAMAGED_LOG, position_of(leaf), sentence.format(number)))


def _parsed(text: bytes) -> Leaf:
    try:
        return Leaf.parse(text)
    except LeafUnreadable:
        return Leaf(0, "", 0, "", UNKNOWN)
