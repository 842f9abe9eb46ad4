"""The tiles and entry bundles of a log, for reading (c2sp.org/tlog-tiles)."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from infrastructure.tlog.checkpoints import LogRefused
from infrastructure.tlog.files import FileMissing, Source
from infrastructure.tlog.notes import Note
from infrastructure.tlog.proofs import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    node_hash,
    perfect_root,
    tree_hash,
)

WIDTH = 256  # hashes of a full tile
LEVELS = 8  # of the tree in one tile
HASH = 32
ENTRIES = "entries"
_LENGTH = 2  # bytes before each leaf of a bundle


class Tiles:
    """The tree of the first `size` leaves of a log.

    The log may have grown since: a partial tile that was removed is read from the full one.
    """

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        self.size = size

    def subtree(self, level: int, index: int) -> bytes:
        """The hash of a perfect subtree. Raises LogRefused if its tile is missing or cut."""
        tile, inner = divmod(level, LEVELS)
        begin, count = index << inner, 1 << inner
        number, offset = divmod(begin, WIDTH)
        hashes = self.hashes(tile, number)
        return perfect_root(hashes[offset : offset + count])

    def root(self) -> bytes:
        """The root over all leaves."""
        return tree_hash(0, self.size, self.subtree) if self.size else EMPTY_ROOT

    def root_of_leaves(self) -> bytes:
        """The root over all leaves, from the lowest tiles alone. Raises LogRefused."""

        def subtree(level: int, index: int) -> bytes:
            if level <= LEVELS:
                return (
                    self.subtree(level, index)
                    if level < LEVELS
                    else perfect_root(self.hashes(0, index))
                )
            return node_hash(subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1))

        return tree_hash(0, self.size, subtree) if self.size else EMPTY_ROOT

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile, one after the other. Raises LogRefused if it is missing or cut."""
        width = self._width(level, number)
        held = self._read(str(level), number, width)
        if len(held) < HASH * width:
            raise LogRefused(f"tile {number} of level {level} is cut")
        return held[: HASH * width]

    def hashes(self, level: int, number: int) -> list[bytes]:
        """The hashes of a tile. Raises LogRefused if it is missing or cut."""
        held = self.tile(level, number)
        return [held[i : i + HASH] for i in range(0, len(held), HASH)]

    def unfinished(self, level: int) -> list[bytes]:
        """The hashes of the last, not yet full tile of a level; none if the last one is full."""
        number, width = divmod(self.size >> (LEVELS * level), WIDTH)
        return self.hashes(level, number) if width else []

    def leaves(self, bundle: int) -> list[bytes]:
        """The leaves of an entry bundle, WIDTH of them but in the last. Raises LogRefused."""
        width = self._width(0, bundle)
        held = self._read(ENTRIES, bundle, width)
        found: list[bytes] = []
        at = 0
        while at < len(held) and len(found) < width:
            end = at + _LENGTH + int.from_bytes(held[at : at + _LENGTH], "big")
            found.append(held[at + _LENGTH : end])
            at = end
        if len(found) < width or at > len(held):
            raise LogRefused(f"entry bundle {bundle} is cut")
        return found

    def bundle_begins(self, number: int, leaves: Sequence[bytes]) -> bool:
        """Whether an entry bundle begins with these leaves. Raises LogRefused if it is missing."""
        held = self._read(ENTRIES, number, self._width(0, number))
        return held.startswith(b"".join([len(leaf).to_bytes(_LENGTH) + leaf for leaf in leaves]))

    def inclusion(self, index: int) -> list[bytes]:
        """The proof that leaf `index` is in the tree."""
        return inclusion_proof(index, self.size, self.subtree)

    def proof(self, index: int, checkpoint: Note) -> str:
        """The proof that leaf `index` is in the tree, as c2sp.org/tlog-proof writes it."""
        return written_proof(index, self.inclusion(index), checkpoint)

    def consistency(self, old: int) -> list[bytes]:
        """The proof that the tree of `old` leaves begins this one."""
        return consistency_proof(old, self.size, self.subtree) if 0 < old < self.size else []

    def _width(self, level: int, number: int) -> int:
        return min(WIDTH, (self.size >> (LEVELS * level)) - number * WIDTH)

    def _read(self, level: str, number: int, width: int) -> bytes:
        """A tile or bundle of this width, or the full one that took its place."""
        try:
            return self._source.read(str(tile_path(level, number, width)))
        except FileMissing as missing:
            if width < WIDTH:
                try:
                    return self._source.read(str(tile_path(level, number, WIDTH)))
                except FileMissing:
                    pass
            raise LogRefused(f"tile {number} of level {level} is missing") from missing


def written_proof(index: int, path: Iterable[bytes], checkpoint: Note) -> str:
    """A proof that leaf `index` is in the tree of a checkpoint, as c2sp.org/tlog-proof has it."""
    steps = "".join(f"{b64encode(step).decode()}\n" for step in path)
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{steps}\n{checkpoint}"


def tile_path(level: str, number: int, width: int) -> PurePosixPath:
    """The path of a tile or an entry bundle, relative to the log's folder."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03}")
    path = PurePosixPath("tile", level, *groups)
    return path if width == WIDTH else path.with_name(f"{path.name}.p") / str(width)
