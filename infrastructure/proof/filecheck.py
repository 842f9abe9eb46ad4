"""Whether tiles and entry bundles are those of the stored events, once these lead to the root."""

from collections.abc import Sequence

from application.leaves import position_of
from application.verification.findings import Finding, Kind
from infrastructure.tlog.checkpoints import LogRefused
from infrastructure.tlog.proofs import leaf_hash, perfect_root
from infrastructure.tlog.tiles import WIDTH, Tiles


class FileCheck:
    """Compares the files of a log with what they must hold.

    `findings` are true only if the events lead to the root that is signed. `first` is the first
    tile that does not fit; None if all do.
    """

    def __init__(self, tiles: Tiles) -> None:
        self._tiles = tiles
        self.findings: list[Finding] = []
        self.first: int | None = None

    def tile(self, number: int, leaves: Sequence[bytes], hashes: Sequence[bytes]) -> None:
        """Compares a tile of the lowest level, and its entry bundle."""
        try:
            tile_fits = self._tiles.tile(0, number) == b"".join(hashes)
            if tile_fits and self._tiles.bundle_begins(number, leaves):
                return
            self._note(self._misfit(number, hashes, tile_fits=tile_fits))
        except LogRefused as refused:
            self._note(Finding(Kind.DAMAGED_LOG, position_of(number * WIDTH), str(refused)))
        if self.first is None:
            self.first = number

    def above(self, roots: Sequence[bytes]) -> None:
        """Compares the tiles above the lowest level, from the roots of the tiles there."""
        level, hashes = 1, roots
        while hashes:
            for number in range(-(-len(hashes) // WIDTH)):
                self._above(level, number, hashes[number * WIDTH : (number + 1) * WIDTH])
            whole = len(hashes) // WIDTH * WIDTH
            hashes = [perfect_root(hashes[at : at + WIDTH]) for at in range(0, whole, WIDTH)]
            level += 1

    def _above(self, level: int, number: int, expected: Sequence[bytes]) -> None:
        try:
            held = self._tiles.hashes(level, number)
        except LogRefused as refused:
            held, sentence = [], str(refused)
        else:
            sentence = f"tile {number} of level {level} of the log does not fit those below it"
        if held != list(expected):
            leaf = (number * WIDTH + first_difference(expected, held)) * WIDTH**level
            self._note(Finding(Kind.DAMAGED_LOG, position_of(leaf), sentence))

    def _misfit(self, number: int, hashes: Sequence[bytes], *, tile_fits: bool) -> Finding:
        if tile_fits:
            held = [leaf_hash(leaf) for leaf in self._tiles.leaves(number)]
            sentence = f"entry bundle {number} of the log does not lead to its tile"
        else:
            held = self._tiles.hashes(0, number)
            sentence = f"tile {number} of the log is not that of its leaves"
        leaf = number * WIDTH + first_difference(hashes, held)
        return Finding(Kind.DAMAGED_LOG, position_of(leaf), sentence)

    def _note(self, finding: Finding) -> None:
        self.findings.append(finding)


def first_difference(one: Sequence[bytes], other: Sequence[bytes]) -> int:
    """The index of the first hash that differs; 0 if one is only longer than the other."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), 0)
