"""A log of leaves in a folder: tiles, entry bundles and a checkpoint (c2sp.org/tlog-tiles).

The folder can be copied with any tool and served by any web server. Tiles are written and flushed
before the checkpoint that needs them, so a folder never promises what it does not hold.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infrastructure.tlog.notes import Note, NoteRefused, Signer, Verifier
from infrastructure.tlog.proofs import (
    EMPTY_ROOT,
    consistency_proof,
    consistent,
    inclusion_proof,
    leaf_hash,
    perfect_root,
    tree_hash,
)

WIDTH = 256  # hashes of a full tile
MAX_LEAF_BYTES = 65_535
_HASH = 32
_LEVELS = 8  # of the tree in one tile
_ENTRIES = "entries"


class LogRefused(Exception):
    """The log cannot do this without contradicting what it has signed, or its files are damaged."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The statement of a log about its content: its origin, its count of leaves, and their root."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint in the text of a note. Raises NoteRefused."""
        lines = text.split("\n")
        try:
            origin, size, root = lines[0], int(lines[1]), b64decode(lines[2], validate=True)
        except (IndexError, ValueError) as malformed:
            raise NoteRefused("the text is no checkpoint") from malformed
        if not origin or str(size) != lines[1] or len(root) != _HASH or lines[3:] != [""]:
            raise NoteRefused("the text is no checkpoint of this kind")
        return cls(origin, size, root)

    def __str__(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


class Tiles:
    """The tiles in a folder, for reading, for a tree of a given size."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self.size = size

    def subtree(self, level: int, index: int) -> bytes:
        """The hash of a perfect subtree. Raises LogRefused if its tile is missing or cut."""
        tile, inner = divmod(level, _LEVELS)
        begin, count = index << inner, 1 << inner
        number, offset = divmod(begin, WIDTH)
        held = self._tile(str(tile), number, self.size >> (_LEVELS * tile))
        hashes = [held[i : i + _HASH] for i in range(0, len(held), _HASH)]
        return perfect_root(hashes[offset : offset + count])

    def root(self) -> bytes:
        """The root over all leaves."""
        return tree_hash(0, self.size, self.subtree) if self.size else EMPTY_ROOT

    def hashes(self, level: int) -> list[bytes]:
        """The hashes of the last, not yet full tile of a level."""
        number, width = divmod(self.size >> (_LEVELS * level), WIDTH)
        held = self._tile(str(level), number, number * WIDTH + width) if width else b""
        return [held[i : i + _HASH] for i in range(0, len(held), _HASH)]

    def leaves(self, bundle: int) -> list[bytes]:
        """The leaves of an entry bundle, WIDTH of them but in the last. Raises LogRefused."""
        held = self._read(_ENTRIES, bundle, self.size)
        found: list[bytes] = []
        while held:
            length = int.from_bytes(held[:2], "big")
            found.append(held[2 : 2 + length])
            held = held[2 + length :]
        return found

    def inclusion(self, index: int) -> list[bytes]:
        """The proof that leaf `index` is in the tree."""
        return inclusion_proof(index, self.size, self.subtree)

    def proof(self, index: int, checkpoint: Note) -> str:
        """The proof that leaf `index` is in the tree, as c2sp.org/tlog-proof writes it."""
        path = "".join(f"{b64encode(step).decode()}\n" for step in self.inclusion(index))
        return f"c2sp.org/tlog-proof@v1\nindex {index}\n{path}\n{checkpoint}"

    def consistency(self, old: int) -> list[bytes]:
        """The proof that the tree of `old` leaves begins this one."""
        return consistency_proof(old, self.size, self.subtree) if 0 < old < self.size else []

    def _tile(self, level: str, number: int, end: int) -> bytes:
        held = self._read(level, number, end)
        if len(held) != _HASH * min(WIDTH, end - number * WIDTH):
            raise LogRefused(f"tile {number} of level {level} is cut")
        return held

    def _read(self, level: str, number: int, end: int) -> bytes:
        """A tile of which `end` hashes from the first tile on are known."""
        width = min(WIDTH, end - number * WIDTH)
        try:
            return (self._folder / tile_path(level, number, width)).read_bytes()
        except FileNotFoundError as missing:
            raise LogRefused(f"tile {number} of level {level} is missing") from missing


class TileLog:
    """A log that is written. One process at a time may have it open."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        """Goes on after the folder's checkpoint. Raises LogRefused if that is not the signer's."""
        self._folder = folder
        self._signer = signer
        self.checkpoint = _last(folder, signer.verifier)
        tiles = Tiles(folder, self.checkpoint.size)
        if tiles.root() != self.checkpoint.root:
            raise LogRefused("the tiles do not lead to the root of the checkpoint")
        self._size = self.checkpoint.size
        levels = max(1, (self._size.bit_length() + _LEVELS - 1) // _LEVELS)
        self._open = [tiles.hashes(level) for level in range(levels)]
        self._bundle = tiles.leaves(self._size // WIDTH) if self._size % WIDTH else []

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
                self._write(_ENTRIES, self._size // WIDTH, _bundle(self._bundle), WIDTH)
                self._bundle = []
            self._add(0, leaf_hash(leaf))
            self._size += 1

    def publish(self) -> Note:
        """Writes the unfinished tiles and signs a checkpoint of all leaves; returns the note."""
        if self._bundle:
            width = len(self._bundle)
            self._write(_ENTRIES, self._size // WIDTH, _bundle(self._bundle), width)
        for level, hashes in enumerate(self._open):
            if hashes:
                number = (self._size >> (_LEVELS * level)) // WIDTH
                self._write(str(level), number, b"".join(hashes), len(hashes))
        tiles = Tiles(self._folder, self._size)
        checkpoint = Checkpoint(self._signer.name, self._size, tiles.root())
        self._check_against_last(tiles, checkpoint)
        text = str(checkpoint)
        note = Note(text, [self._signer.line(text)])
        replace_file(self._folder / "checkpoint", str(note).encode())
        self.checkpoint = checkpoint
        return note

    def _check_against_last(self, tiles: Tiles, new: Checkpoint) -> None:
        """Checks that the tree of the last checkpoint begins the new tree."""
        old = self.checkpoint
        path = tiles.consistency(old.size)
        if not consistent(old.size, old.root, new.size, new.root, path):
            raise LogRefused("the new tree does not begin with the one that was signed before")

    def _add(self, level: int, found: bytes) -> None:
        if level == len(self._open):
            self._open.append([])
        hashes = self._open[level]
        hashes.append(found)
        if len(hashes) == WIDTH:
            number = ((self._size + 1) >> (_LEVELS * (level + 1))) - 1
            self._write(str(level), number, b"".join(hashes), WIDTH)
            self._open[level] = []
            self._add(level + 1, perfect_root(hashes))

    def _write(self, level: str, number: int, content: bytes, width: int) -> None:
        replace_file(self._folder / tile_path(level, number, width), content)


def tile_path(level: str, number: int, width: int) -> Path:
    """The path of a tile or an entry bundle, relative to the log's folder."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03}")
    path = Path("tile", level, *groups)
    return path if width == WIDTH else path.with_name(f"{path.name}.p") / str(width)


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file whole: flushed under another name, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _bundle(leaves: Sequence[bytes]) -> bytes:
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def _last(folder: Path, verifier: Verifier) -> Checkpoint:
    """The checkpoint in a folder; that of an empty log if there is none. Raises LogRefused."""
    try:
        note = Note.parse((folder / "checkpoint").read_text())
    except FileNotFoundError:
        return Checkpoint(verifier.name, 0, EMPTY_ROOT)
    except NoteRefused as malformed:
        raise LogRefused(f"the checkpoint cannot be read: {malformed}") from malformed
    try:
        if not note.signed_by([verifier]):
            raise LogRefused("the checkpoint is not signed by this key")
        checkpoint = Checkpoint.parse(note.text)
    except NoteRefused as wrong:
        raise LogRefused(f"the checkpoint is damaged: {wrong}") from wrong
    if checkpoint.origin != verifier.name:
        raise LogRefused(f"the checkpoint is of another log, {checkpoint.origin}")
    return checkpoint
