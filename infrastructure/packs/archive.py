"""A zip file that is made while it is sent: nothing but the next piece is in memory."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

PIECE = 64 * 1024
"""About how many bytes a piece has."""
_READABLE = 0o644 << 16


class ArchivedFile(NamedTuple):
    """A file of an archive: its name, its size in bytes, and the SHA-256 of its content."""

    name: str
    size: int
    sha256: str


class Archive:
    """An archive to which files are added one after the other."""

    def __init__(self, made_at: datetime) -> None:
        self._made_at = made_at.timetuple()[:6]
        self._written = _Written()
        self._zip = ZipFile(self._written, "w")  # type: ignore[call-overload] # it needs no more
        self.files: list[ArchivedFile] = []
        """The files that were added."""

    def add(self, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
        """Adds a file, and yields pieces of the archive as they are made."""
        info = ZipInfo(name, self._made_at)
        info.compress_type, info.external_attr = ZIP_DEFLATED, _READABLE
        size, digest = 0, sha256()
        with self._zip.open(info, "w", force_zip64=True) as file:
            for part in content:
                file.write(part)
                size += len(part)
                digest.update(part)
                if self._written.size >= PIECE:
                    yield self._written.take()
        self.files.append(ArchivedFile(name, size, digest.hexdigest()))

    def end(self) -> bytes:
        """Ends the archive: its last piece."""
        self._zip.close()
        return self._written.take()


class _Written:
    """What the archive has written and nobody has taken yet. It cannot go back: it has no seek."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """There is nothing behind it."""

    def take(self) -> bytes:
        taken, self._parts, self.size = b"".join(self._parts), [], 0
        return taken
