"""A log that is written: leaves are appended to a folder, and a checkpoint covers them.

The folder can be copied with any tool and served by any web server. Tiles are written and flushed
before the checkpoint that needs them, so a folder never promises what it does not hold, whenever
the process that writes it is killed.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from infrastructure.tlog.checkpoints import CHECKPOINT, Checkpoint, LogRefused, empty, newest
from infrastructure.tlog.files import FolderSource, remove_folders, replace_file, sync_folders
from infrastructure.tlog.notes import Note, Signer
from infrastructure.tlog.proofs import consistent, leaf_hash, perfect_root
from infrastructure.tlog.tiles import ENTRIES, LEVELS, WIDTH, Tiles, tile_path

MAX_LEAF_BYTES = 65_535


class TileLog:
    """A log that is written. One process at a time may have it open."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        """Goes on after the folder's checkpoint. Raises LogRefused if that is not the signer's."""
        self._folder = folder
        self._source = FolderSource(folder)
        self.signer = signer
        signed = newest(self._source, signer.verifier)
        self.checkpoint = signed.checkpoint if signed else empty(signer.verifier)
        self._size = self.checkpoint.size
        tiles = Tiles(self._source, self._size)
        if tiles.root() != self.checkpoint.root:
            raise LogRefused("the tiles do not lead to the root of the checkpoint")
        levels = max(1, (self._size.bit_length() + LEVELS - 1) // LEVELS)
        self._open = [tiles.unfinished(level) for level in range(levels)]
        self._bundle = tiles.leaves(self._size // WIDTH) if self._size % WIDTH else []
        self._touched: set[Path] = set()
        self._filled: list[Path] = []  # folders of partial tiles that a full one replaces
        self._superseded: list[Path] = []  # of these, those that the last checkpoint needs no more

    @property
    def size(self) -> int:
        """How many leaves were appended, including those after the checkpoint."""
        return self._size

    def append(self, leaves: Iterable[bytes]) -> None:
        """Adds leaves; `publish` makes them part of the checkpoint. Raises LogRefused."""
        for leaf in leaves:
            if len(leaf) > MAX_LEAF_BYTES:
                raise LogRefused(f"a leaf of {len(leaf)} bytes does not fit into a bundle")
            self._bundle.append(leaf)
            if len(self._bundle) == WIDTH:
                self._write(ENTRIES, self._size // WIDTH, _bundle(self._bundle), WIDTH)
                self._bundle = []
            self._add(0, leaf_hash(leaf))
            self._size += 1

    def publish(self) -> Note:
        """Writes the unfinished tiles and signs a checkpoint of all leaves; returns the note."""
        if self._bundle:
            width = len(self._bundle)
            self._write(ENTRIES, self._size // WIDTH, _bundle(self._bundle), width)
        for level, hashes in enumerate(self._open):
            if hashes:
                number = (self._size >> (LEVELS * level)) // WIDTH
                self._write(str(level), number, b"".join(hashes), len(hashes))
        tiles = Tiles(self._source, self._size)
        checkpoint = Checkpoint(self.signer.name, self._size, tiles.root())
        self._check_against_last(tiles, checkpoint)
        self._folder.mkdir(parents=True, exist_ok=True)
        sync_folders(self._touched)
        self._touched = set()
        text = str(checkpoint)
        note = Note(text, [self.signer.line(text)])
        replace_file(self._folder / CHECKPOINT, str(note).encode())
        sync_folders([self._folder])
        self.checkpoint = checkpoint
        self._tidy()
        return note

    def _check_against_last(self, tiles: Tiles, new: Checkpoint) -> None:
        """Checks that the tree of the last checkpoint begins the new tree."""
        old = self.checkpoint
        path = tiles.consistency(old.size)
        if not consistent(old.size, old.root, new.size, new.root, path):
            raise LogRefused("the new tree does not begin with the one that was signed before")

    def _tidy(self) -> None:
        """Removes partial tiles whose full tile stands, one checkpoint later than it could.

        So a reader that has the checkpoint before still finds them.
        """
        remove_folders(self._superseded)
        self._superseded, self._filled = self._filled, []

    def _add(self, level: int, found: bytes) -> None:
        if level == len(self._open):
            self._open.append([])
        hashes = self._open[level]
        hashes.append(found)
        if len(hashes) == WIDTH:
            number = ((self._size + 1) >> (LEVELS * (level + 1))) - 1
            self._write(str(level), number, b"".join(hashes), WIDTH)
            self._open[level] = []
            self._add(level + 1, perfect_root(hashes))

    def _write(self, level: str, number: int, content: bytes, width: int) -> None:
        path = self._folder / tile_path(level, number, width)
        replace_file(path, content)
        folder = path.parent
        while folder not in self._touched and folder != self._folder:
            self._touched.add(folder)
            folder = folder.parent
        if width == WIDTH:
            self._filled.append(path.with_name(f"{path.name}.p"))


def _bundle(leaves: Sequence[bytes]) -> bytes:
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)
